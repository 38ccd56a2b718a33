import { literal, qualified } from '../../db/sql.ts';
import type { Target } from './target.ts';

type HistoryPlace = Pick<Target, 'schema' | 'historyTable'>;

/** Updates the history after a step: inserts a row on the way forward, deletes it on the way back. */
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

/** Marks a migration as applied, in a new batch. */
export function recordAsApplied({ schema, historyTable }: HistoryPlace, name: string): string {
  const history = qualified(schema, historyTable);
  return `INSERT INTO ${history} (name, batch, migration_time) SELECT ${literal(name)}, coalesce(max(batch), 0) + 1, now() FROM ${history}`;
}

export function recordAsUndone({ schema, historyTable }: HistoryPlace, name: string): string {
  return `DELETE FROM ${qualified(schema, historyTable)} WHERE name = ${literal(name)}`;
}
