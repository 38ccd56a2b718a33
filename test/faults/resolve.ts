import { escapeIdentifier, escapeLiteral } from 'pg';
import type { FaultDatabase } from './databases.ts';
import { disagreement } from './judge.ts';
import type { Reference } from './reference.ts';
import { takeSnapshot, type IntentSnapshot } from './snapshot.ts';

/**
 * Does for every interrupted migration outside a transaction what the error's hint says: looks whether its work is done,
 * and says so to the history, or undoes what is half done. Half a concurrent index is an INVALID one.
 * @returns what could not be settled: work of which there is neither all nor nothing
 */
export async function resolveIntents(
  database: FaultDatabase,
  intents: readonly IntentSnapshot[],
  reference: Reference,
): Promise<string[]> {
  for (const { schema } of intents) await dropInvalidIndexes(database, schema);
  const { schemas } = await takeSnapshot(database);
  const unsettled: string[] = [];
  for (const { schema, migration, direction } of intents) {
    const found = schemas.find((each) => each.schema === schema);
    if (found === undefined) continue;
    const history =
      direction === 'up' ? [...found.history, migration] : found.history.filter((name) => name !== migration);
    const isUndone = disagreement(found, reference).length === 0;
    const isDone = disagreement({ ...found, history }, reference).length === 0;
    if (isDone && !isUndone) await record(database, schema, migration, direction);
    if (!isDone && !isUndone) unsettled.push(...disagreement(found, reference));
    await database.query('DELETE FROM tenantctl.intents WHERE schema_name = $1', [schema]);
  }
  return unsettled;
}

async function record(
  database: FaultDatabase,
  schema: string,
  migration: string,
  direction: 'up' | 'down',
): Promise<void> {
  const history = `${escapeIdentifier(schema)}.knex_migrations_tenant`;
  await database.query(
    direction === 'up'
      ? `INSERT INTO ${history} (name, batch, migration_time)
         SELECT ${escapeLiteral(migration)}, coalesce(max(batch), 0) + 1, now() FROM ${history}`
      : `DELETE FROM ${history} WHERE name = ${escapeLiteral(migration)}`,
  );
}

async function dropInvalidIndexes(database: FaultDatabase, schema: string): Promise<void> {
  const invalid = await database.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.relnamespace = $1::regnamespace AND NOT (i.indisvalid AND i.indisready)`,
    [escapeIdentifier(schema)],
  );
  for (const { name } of invalid) await database.query(`DROP INDEX ${name}`);
}
