import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Database } from '../../db/database.ts';
import { messageOf } from '../../errors.ts';
import { listed } from '../../wording.ts';
import type { Direction } from '../files/load.ts';
import { compareNames, type MigrationFile } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import { readCircumstances, type Circumstances } from './circumstances.ts';
import { readKept, writeKept, type KeptRow } from './rows.ts';

/** What a migration sends. */
export interface Piece {
  readonly text: string;
  /** A digest of what the server answered, if the migration has read it. */
  readonly answer?: string | undefined;
}

/** A file that a recording depends on. */
export interface SourceFile {
  /** Relative to the migration's folder. */
  readonly path: string;
  readonly digest: string;
}

export interface KeptRecording {
  readonly pieces: readonly Piece[];
  /** What the guard allows those that are sent it. */
  readonly limits: unknown;
}

/** What one or two tenants were sent by a migration. */
export interface ShownRecording extends KeptRecording {
  readonly file: MigrationFile;
  /** All files that decide about it. */
  readonly sources: readonly SourceFile[];
  /** Schemas of one tenant, or of two that were sent the same. */
  readonly witnesses: readonly string[];
}

/** The recordings in tenantctl's schema, as far as they are valid for a run. */
export interface KeptRecordings {
  /** Reads what is kept of these migrations, unless it has been read. */
  lookUp(files: readonly MigrationFile[], direction: Direction): Promise<void>;
  /** Usable: two tenants were sent the same, and nothing that it depends on has changed since. */
  of(file: MigrationFile, direction: Direction): KeptRecording | undefined;
  /** Stores what tenants were sent. A failure is a warning. */
  keep(shown: readonly ShownRecording[], direction: Direction): Promise<void>;
  /** Nothing is read or written. */
  readonly isOff: boolean;
}

export const NOTHING_KEPT: KeptRecordings = {
  lookUp: () => Promise.resolve(),
  of: () => undefined,
  keep: () => Promise.resolve(),
  isOff: true,
};

interface Setting {
  readonly tenantRole: string | undefined;
  readonly directory: string;
  readonly observe: Observer;
}

/** The kept recordings for one run. */
export function openKeptRecordings(
  database: Pick<Database, 'query' | 'names'>,
  { tenantRole, directory, observe }: Setting,
): KeptRecordings {
  const found = new Map<string, KeptRecording | undefined>();
  const keyOf = ({ path }: MigrationFile, direction: Direction) => `${direction} ${path}`;
  const warned = new Set<string>();
  const warn = (message: string) => {
    if (warned.has(message)) return;
    warned.add(message);
    observe({ type: 'warning', message });
  };
  const look = async (): Promise<Circumstances> => {
    const circumstances = await readCircumstances(database, tenantRole, directory);
    const { distrust, mayRead } = circumstances;
    if (distrust.length === 0 || !mayRead) return circumstances;
    const reasons = distrust.map((reason) => `it ${reason}`);
    warn(`The recordings in tenantctl.recordings are not used: ${listed(reasons)}. See tenantctl doctor.`);
    return { ...circumstances, mayRead: false, mayWrite: false };
  };
  return {
    isOff: false,
    of: (file, direction) => found.get(keyOf(file, direction)),

    async lookUp(files, direction) {
      const unknown = files.filter((file) => !found.has(keyOf(file, direction)));
      if (unknown.length === 0) return;
      const circumstances = await look();
      const rows = circumstances.mayRead ? await readKept(database, unknown, direction) : [];
      const kept = new Map(rows.map((row) => [row.stem, row]));
      const altered = rows.filter(({ isIntact }) => !isIntact).map(({ stem }) => stem);
      if (altered.length > 0)
        warn(`Changed by another program in tenantctl.recordings, and not used: ${listed(altered)}.`);
      for (const file of unknown) {
        const row = kept.get(file.stem);
        const isValid = row !== undefined && row.isIntact && row.key === keyFor(file, circumstances);
        found.set(keyOf(file, direction), isValid ? recordingOf(directory, row) : undefined);
      }
    },

    async keep(shown, direction) {
      if (shown.length === 0) return;
      try {
        const circumstances = await look();
        if (!circumstances.mayWrite) return;
        const rows = shown
          .filter(({ sources }) => isUnchanged(directory, sources))
          .map(({ file, pieces, sources, limits, witnesses: [witness = '', second] }) => ({
            stem: file.stem,
            key: keyFor(file, circumstances),
            body: JSON.stringify({ sources, pieces } satisfies Body),
            limits: JSON.stringify(limits),
            witness,
            isUsable: second !== undefined,
          }))
          .filter(({ body }) => body.length <= MOST_CHARACTERS)
          .toSorted((a, b) => compareNames(a.stem, b.stem));
        await writeKept(database, rows, direction);
      } catch (error) {
        warn(`What the migrations have sent was not kept: ${messageOf(error)}`);
      }
    },
  };
}

/** A larger recording costs more to read than to make. */
const MOST_CHARACTERS = 1_000_000;

interface Body {
  readonly sources: readonly SourceFile[];
  readonly pieces: readonly Piece[];
}

function keyFor({ format }: MigrationFile, { sqlKey, codeKey }: Circumstances): string {
  return format === 'sql' ? sqlKey : codeKey;
}

function recordingOf(directory: string, { body, limits }: KeptRow): KeptRecording | undefined {
  const { sources, pieces } = JSON.parse(body) as Body;
  return isUnchanged(directory, sources) ? { pieces, limits: JSON.parse(limits) as unknown } : undefined;
}

function isUnchanged(directory: string, sources: readonly SourceFile[]): boolean {
  return sources.every(({ path, digest }) => {
    try {
      return digestOf(readFileSync(resolve(directory, path))) === digest;
    } catch {
      return false;
    }
  });
}

function digestOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
