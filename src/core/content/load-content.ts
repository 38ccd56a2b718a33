import type { PoolClient } from 'pg';
import { literal, qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { CHECK_CONSTRAINTS } from '../../db/transaction.ts';
import { lockTableOf } from '../target/history.ts';
import type { Content, ContentTable } from './content.ts';
import { readObstacles } from './obstacles.ts';
import { readContent } from './read-content.ts';
import { contentSettings } from './text-form.ts';

/**
 * Replaces the rows of a schema: empties its tables, lets `load` write the rows of each table of `content` in turn, and
 * sets sequences and materialized views as they are in `content`. User triggers, rules and forced policies do not act
 * meanwhile; they and the constraints are the same afterwards. In the caller's transaction, as the owner of the tables;
 * it leaves contentSettings and SET CONSTRAINTS ALL IMMEDIATE behind. Sequences keep their values if the transaction is
 * rolled back.
 * @param load writes with one statement for each table: a row may refer to a later one of the same table
 * @throws TenantctlError CONTENT_DIFFERS if the schema lacks something that `content` has; as readContent does
 */
export async function loadContent(
  client: PoolClient,
  schema: string,
  content: Content,
  names: Names,
  load: (table: ContentTable) => Promise<void>,
): Promise<void> {
  await client.query(`${CHECK_CONSTRAINTS}; ${contentSettings(schema)}`);
  const lockTable = lockTableOf(names.tenantHistory);
  const obstacles = await readObstacles(client, schema, content, lockTable);
  await send(client, obstacles.remove);
  assertFits(schema, content, await readContent(client, schema, names));
  const emptied = obstacles.emptied.map(
    ({ name, isPartitioned }) => `${isPartitioned ? '' : 'ONLY '}${qualified(schema, name)}`,
  );
  await send(client, emptied.length === 0 ? [] : [`TRUNCATE ${emptied.join(', ')}`]);
  for (const table of content.tables) await load(table);
  await send(client, [
    CHECK_CONSTRAINTS,
    ...obstacles.restore,
    ...content.sequences.map(
      ({ name, lastValue, isCalled }) =>
        `SELECT setval(${literal(qualified(schema, name))}, ${literal(lastValue)}::bigint, ${isCalled})`,
    ),
    ...content.materializedViews.map(
      ({ name, isPopulated }) =>
        `REFRESH MATERIALIZED VIEW ${qualified(schema, name)}${isPopulated ? '' : ' WITH NO DATA'}`,
    ),
  ]);
}

async function send(client: PoolClient, statements: readonly string[]): Promise<void> {
  if (statements.length > 0) await client.query(statements.join(';\n'));
}

/** @throws TenantctlError CONTENT_DIFFERS */
function assertFits(schema: string, content: Content, here: Content): void {
  const present = nounsOf(here);
  const missing = [...nounsOf(content)].filter((noun) => !present.has(noun));
  if (missing.length === 0) return;
  throw new TenantctlError('CONTENT_DIFFERS', `${schema} has no place for all that is copied.`, {
    details: missing.map((noun) => `It has no ${noun}.`),
    hint: 'The tenant that is copied was changed by hand, or by other migrations. tenantctl drift shows the difference.',
  });
}

function nounsOf({ tables, sequences, materializedViews }: Content): Set<string> {
  return new Set([
    ...tables.flatMap(({ name, columns }) => [
      `table ${name}`,
      ...columns.map((column) => `column ${name}.${column}`),
    ]),
    ...sequences.map(({ name }) => `sequence ${name}`),
    ...materializedViews.map(({ name }) => `materialized view ${name}`),
  ]);
}
