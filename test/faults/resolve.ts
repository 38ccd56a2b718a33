import type { CliResult } from '../support/cli.ts';
import type { FaultDatabase } from './databases.ts';
import { disagreement } from './judge.ts';
import type { Reference } from './reference.ts';
import { takeSnapshot, type IntentSnapshot } from './snapshot.ts';

/**
 * Follows the error's hint for each interrupted migration outside a transaction: undoes half-done work (an
 * INVALID index), checks whether the work is done, and answers with tenantctl resolve.
 * @param answers calls tenantctl resolve
 * @returns what could not be settled because the work was only partly done
 */
export async function resolveIntents(
  database: FaultDatabase,
  intents: readonly IntentSnapshot[],
  reference: Reference,
  answers: (schema: string, answer: '--applied' | '--retry') => Promise<CliResult | undefined>,
): Promise<string[]> {
  for (const { schema } of intents) await dropInvalidIndexes(database, schema);
  const { schemas } = await takeSnapshot(database);
  const unsettled: string[] = [];
  for (const { schema, migration, direction } of intents) {
    const found = schemas.find((each) => each.schema === schema);
    if (found === undefined) {
      unsettled.push(`${schema} is gone, and its interrupted migration is not`);
      continue;
    }
    const history =
      direction === 'up' ? [...found.history, migration] : found.history.filter((name) => name !== migration);
    const isUndone = disagreement(found, reference).length === 0;
    const isDone = disagreement({ ...found, history }, reference).length === 0;
    if (!isDone && !isUndone) unsettled.push(...disagreement(found, reference));
    const answer = isDone && !isUndone ? '--applied' : '--retry';
    const resolved = await answers(schema, answer);
    if (resolved?.exitCode !== 0)
      unsettled.push(
        `tenantctl resolve ${schema} ${answer} ended with ${resolved?.exitCode}: ${resolved?.stderr}`,
      );
  }
  return unsettled;
}

async function dropInvalidIndexes(database: FaultDatabase, schema: string): Promise<void> {
  const invalid = await database.query<{ name: string }>(
    `SELECT indexrelid::regclass::text AS name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND NOT (i.indisvalid AND i.indisready)`,
    [schema],
  );
  for (const { name } of invalid) await database.query(`DROP INDEX ${name}`);
}
