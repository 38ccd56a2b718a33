import { literal, qualified } from '../../db/sql.ts';
import type { Target } from './target.ts';

/** Where a history is kept. */
type HistoryPlace = Pick<Target, 'schema' | 'historyTable'>;

/** The statement that makes the history say what has just been done: a row for a way forward, none for a way back. */
export function recordStep(
  place: HistoryPlace,
  direction: 'up' | 'down',
  name: string,
  batch: number,
): string {
  if (direction === 'down') return recordAsUndone(place, name);
  return `INSERT INTO ${qualified(place.schema, place.historyTable)} (name, batch, migration_time)
          VALUES (${literal(name)}, ${batch}, clock_timestamp())`;
}

/** The statement that marks a migration as applied, in a batch after the last. */
export function recordAsApplied({ schema, historyTable }: HistoryPlace, name: string): string {
  const history = qualified(schema, historyTable);
  return `INSERT INTO ${history} (name, batch, migration_time) SELECT ${literal(name)}, coalesce(max(batch), 0) + 1, now() FROM ${history}`;
}

/** The statement that marks a migration as not applied. */
export function recordAsUndone({ schema, historyTable }: HistoryPlace, name: string): string {
  return `DELETE FROM ${qualified(schema, historyTable)} WHERE name = ${literal(name)}`;
}
