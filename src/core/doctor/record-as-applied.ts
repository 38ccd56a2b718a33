import { literal, qualified } from '../../db/sql.ts';

/** The statement that marks a migration as applied, in a batch after the last. */
export function recordAsApplied(schema: string, table: string, migration: string): string {
  const history = qualified(schema, table);
  return `INSERT INTO ${history} (name, batch, migration_time) SELECT ${literal(migration)}, coalesce(max(batch), 0) + 1, now() FROM ${history};`;
}
