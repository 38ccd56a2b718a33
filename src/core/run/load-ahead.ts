import { setImmediate as nextTurn } from 'node:timers/promises';
import { parse } from '../../db/parser.ts';
import type { MigrationFile } from '../files/source.ts';
import type { RunContext } from './run-context.ts';

/**
 * Loads the migrations that no recording replays, and what it takes to run them. Each in a turn of its own, so that
 * the next question goes to the server in between. Errors appear on first use.
 */
export async function loadAhead(
  { kept, knex, load }: RunContext,
  files: readonly MigrationFile[],
): Promise<void> {
  try {
    await kept.lookUp(files, 'up');
    const unknown = files.filter((file) => !kept.replays(file, 'up'));
    if (unknown.length === 0) return;
    await nextTurn();
    void parse('').catch(() => {});
    await nextTurn();
    const loaded = await Promise.all(unknown.map(load));
    await nextTurn();
    // Knex last: the migrations may have loaded their own.
    const first = loaded.find(({ up }) => typeof up !== 'string');
    if (first !== undefined) await knex(first.file);
  } catch {
    // Whoever needs it meets the same error.
  }
}
