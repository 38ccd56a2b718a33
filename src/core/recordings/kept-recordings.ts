import type { Database } from '../../db/database.ts';
import { isKnexExtended } from '../../db/knex/insides.ts';
import { messageOf } from '../../errors.ts';
import { listed } from '../../wording.ts';
import type { Direction } from '../files/load.ts';
import type { MigrationFile } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import { readCircumstances, type Surroundings } from './circumstances.ts';
import { recordingOf, rowFor, type FoundRecording } from './recording-row.ts';
import { readKept, writeKept } from './rows.ts';
import type { KeptRecording, ShownRecording } from './shown.ts';
import { createAreUnchanged } from './sources.ts';

/** The recordings in tenantctl's schema, as far as they are valid for a run. */
export interface KeptRecordings {
  /** Reads what is kept of these migrations, unless it has been read. @param by by way of it */
  lookUp(files: readonly MigrationFile[], direction: Direction, by?: Database): Promise<void>;
  /** Usable: other tenants are sent the same, and nothing that it depends on has changed since. */
  of(file: MigrationFile, direction: Direction): KeptRecording | undefined;
  /** Whether tenants are sent a recording, so that the migration need not be loaded. */
  replays(file: MigrationFile, direction: Direction): boolean;
  /** Stores what tenants were sent. A failure is a warning. */
  keep(shown: readonly ShownRecording[], direction: Direction): Promise<void>;
  /** Nothing is read or written. */
  readonly isOff: boolean;
}

export const NOTHING_KEPT: KeptRecordings = {
  lookUp: () => Promise.resolve(),
  of: () => undefined,
  replays: () => false,
  keep: () => Promise.resolve(),
  isOff: true,
};

/** Migrations that no recording shows to send something. */
export function withoutRecording(kept: KeptRecordings, files: readonly MigrationFile[]): MigrationFile[] {
  return files.filter((file) => {
    const shown = kept.of(file, 'up')?.shown;
    return shown === undefined || ('pieces' in shown && shown.pieces.length === 0);
  });
}

/** The kept recordings for one run. */
export function openKeptRecordings(
  database: Database,
  surroundings: Surroundings,
  observe: Observer,
): KeptRecordings {
  const found = new Map<string, FoundRecording | undefined>();
  const idOf = ({ path }: MigrationFile, direction: Direction) => `${direction} ${path}`;
  const of: KeptRecordings['of'] = (file, direction) => {
    const recording = found.get(idOf(file, direction));
    return recording?.isUsable === true ? recording : undefined;
  };
  const warned = new Set<string>();
  const warn = (message: string) => {
    if (!warned.has(message)) observe({ type: 'warning', message });
    warned.add(message);
  };
  return {
    isOff: false,
    of,
    replays(file, direction) {
      const recording = of(file, direction);
      return recording !== undefined && 'pieces' in recording.shown;
    },

    async lookUp(files, direction, by = database) {
      const unknown = files.filter((file) => !found.has(idOf(file, direction)));
      if (unknown.length === 0) return;
      // Both at once: without the permission to read, there are no rows.
      const [circumstances, all] = await by.together((one) => [
        readCircumstances(one, surroundings, warn),
        readKept(one, unknown, direction).catch(() => []),
      ]);
      const areUnchanged = createAreUnchanged(database);
      const rows = circumstances.mayRead ? all : [];
      const kept = new Map(rows.map((row) => [row.stem, row]));
      const altered = rows.filter(({ content }) => content === undefined).map(({ stem }) => stem);
      if (altered.length > 0)
        warn(`Changed by another program in tenantctl.recordings, and not used: ${listed(altered)}.`);
      for (const file of unknown) {
        const row = kept.get(file.stem);
        const isValid = row !== undefined && row.key === circumstances.keyFor(file);
        found.set(idOf(file, direction), isValid ? recordingOf(file, row, areUnchanged) : undefined);
      }
    },

    async keep(shown, direction) {
      if (shown.length === 0) return;
      try {
        const { mayWrite, keyFor } = await readCircumstances(database, surroundings, warn);
        if (!mayWrite) return;
        const isCode = ({ migration }: ShownRecording) => migration.file.format !== 'sql';
        const isExtended = shown.some(isCode) && isKnexExtended(surroundings.directory);
        const rows = shown.flatMap((one) => {
          if (isExtended && isCode(one)) return [];
          const { file } = one.migration;
          const earlier = found.get(idOf(file, direction));
          return rowFor(one, keyFor(file), earlier, database) ?? [];
        });
        await writeKept(database, rows, direction);
      } catch (error) {
        if (!database.isCancelled) warn(`What the migrations have sent was not kept: ${messageOf(error)}`);
      }
    },
  };
}
