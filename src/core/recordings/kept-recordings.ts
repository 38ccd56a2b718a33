import type { Database } from '../../db/database.ts';
import { messageOf } from '../../errors.ts';
import { listed } from '../../wording.ts';
import type { CodeFile } from '../code/code-files.ts';
import type { Direction, Migration } from '../files/load.ts';
import type { MigrationFile } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import { readCircumstances, type Circumstances } from './circumstances.ts';
import { readKept, writeKept, type KeptRow, type NewRow } from './rows.ts';
import { createSources, type Sources } from './sources.ts';

/** What a migration sends. */
export interface Piece {
  readonly text: string;
  /** A digest of what the server answered, if the migration has read it. */
  readonly answer?: string | undefined;
}

export interface KeptRecording {
  readonly pieces: readonly Piece[];
  /** What the guard allows those that are sent it. */
  readonly limits: unknown;
  /** Of the migration's file: see checksumOf. */
  readonly checksum: string;
}

/** What one or two tenants were sent by a migration. */
export interface ShownRecording extends Pick<KeptRecording, 'pieces' | 'limits'> {
  /** As it was loaded. */
  readonly migration: Pick<Migration, 'file' | 'checksum'>;
  /** The schema of a tenant that was sent it. */
  readonly witness: string;
  /** Another tenant was sent the same. */
  readonly isUsable: boolean;
}

/** The recordings in tenantctl's schema, as far as they are valid for a run. */
export interface KeptRecordings {
  /** Reads what is kept of these migrations, unless it has been read. @param by by way of it */
  lookUp(files: readonly MigrationFile[], direction: Direction, by?: Database): Promise<void>;
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

/** Migrations that no recording shows to send something. */
export function withoutRecording(kept: KeptRecordings, files: readonly MigrationFile[]): MigrationFile[] {
  return files.filter((file) => (kept.of(file, 'up')?.pieces ?? []).length === 0);
}

interface Setting {
  readonly tenantRole: string | undefined;
  readonly directory: string;
  readonly observe: Observer;
}

/** The kept recordings for one run. */
export function openKeptRecordings(
  database: Database,
  { tenantRole, directory, observe }: Setting,
): KeptRecordings {
  const sources = createSources(database);
  const found = new Map<string, KeptRecording | undefined>();
  const keyOf = ({ path }: MigrationFile, direction: Direction) => `${direction} ${path}`;
  const warned = new Set<string>();
  const warn = (message: string) => {
    if (warned.has(message)) return;
    warned.add(message);
    observe({ type: 'warning', message });
  };
  const look = async (by = database): Promise<Circumstances> => {
    const circumstances = await readCircumstances(by, tenantRole, directory);
    const { distrust, mayRead } = circumstances;
    if (distrust.length === 0 || !mayRead) return circumstances;
    const reasons = distrust.map((reason) => `it ${reason}`);
    warn(`The recordings in tenantctl.recordings are not used: ${listed(reasons)}. See tenantctl doctor.`);
    return { ...circumstances, mayRead: false, mayWrite: false };
  };
  return {
    isOff: false,
    of: (file, direction) => found.get(keyOf(file, direction)),

    async lookUp(files, direction, by = database) {
      const unknown = files.filter((file) => !found.has(keyOf(file, direction)));
      if (unknown.length === 0) return;
      // Both at once: without the permission to read, there are no rows.
      const [circumstances, all] = await by.together((one) => [
        look(one),
        readKept(one, unknown, direction).catch(() => []),
      ]);
      const rows = circumstances.mayRead ? all : [];
      const kept = new Map(rows.map((row) => [row.stem, row]));
      const altered = rows.filter(({ isIntact }) => !isIntact).map(({ stem }) => stem);
      if (altered.length > 0)
        warn(`Changed by another program in tenantctl.recordings, and not used: ${listed(altered)}.`);
      for (const file of unknown) {
        const row = kept.get(file.stem);
        const isValid = row !== undefined && row.isIntact && row.key === keyFor(file, circumstances);
        found.set(keyOf(file, direction), isValid ? recordingOf(file, row, sources) : undefined);
      }
    },

    async keep(shown, direction) {
      if (shown.length === 0) return;
      try {
        const circumstances = await look();
        if (!circumstances.mayWrite) return;
        const { conceal } = database;
        const mayKeep = shown.filter(({ pieces }) => pieces.every(({ text }) => conceal(text) === text));
        const rows = await Promise.all(mayKeep.map((one) => toRow(one, circumstances, sources)));
        await writeKept(
          database,
          rows.filter((row) => row !== undefined),
          direction,
        );
      } catch (error) {
        warn(`What the migrations have sent was not kept: ${messageOf(error)}`);
      }
    },
  };
}

/** A larger recording costs more to read than to make. */
const MOST_CHARACTERS = 1_000_000;

interface Body extends Pick<KeptRecording, 'checksum' | 'pieces'> {
  readonly sources: readonly CodeFile[];
}

function keyFor({ format }: MigrationFile, { sqlKey, codeKey }: Circumstances): string {
  return format === 'sql' ? sqlKey : codeKey;
}

function recordingOf(
  file: MigrationFile,
  { body, limits }: KeptRow,
  known: Sources,
): KeptRecording | undefined {
  const { checksum, pieces, sources } = JSON.parse(body) as Body;
  if (!known.areUnchanged(file, sources)) return undefined;
  return { checksum, pieces, limits: JSON.parse(limits) as unknown };
}

/** @returns undefined if it is not to be kept */
async function toRow(
  { migration, pieces, limits, witness, isUsable }: ShownRecording,
  circumstances: Circumstances,
  known: Sources,
): Promise<NewRow | undefined> {
  const { file, checksum } = migration;
  const sources = await known.of(migration);
  if (sources === undefined) return undefined;
  const body = JSON.stringify({ sources, checksum, pieces } satisfies Body);
  if (body.length > MOST_CHARACTERS) return undefined;
  const key = keyFor(file, circumstances);
  return { stem: file.stem, key, body, limits: JSON.stringify(limits), witness, isUsable };
}
