import { SIZES_ON_NODES } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';
import { withTransaction, type TransactionSettings } from '../../db/transaction.ts';
import { messageOf } from '../../errors.ts';

export interface SchemaSizes {
  /** Bytes by schema, with indexes and TOAST tables. Without those that could not be measured. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Why they could not be measured. */
  readonly note?: string | undefined;
}

/** pg_total_relation_size opens the files of every table. */
const MEASURING_MS = 60_000;
/** It also waits for a table that a migration has locked. */
const LOCK_WAIT_MS = 2_000;

/** One query, and one to all nodes if there are some. Sizes are an extra: if they cannot be measured, the result says why. */
export async function readSchemaSizes(database: Database, schemas: readonly string[]): Promise<SchemaSizes> {
  const settings = { statementTimeoutMs: MEASURING_MS, lockTimeoutMs: LOCK_WAIT_MS };
  try {
    const rows = await withTransaction(
      database,
      settings,
      ['SET TRANSACTION READ ONLY'],
      async ({ client }) => {
        const answer = await client.query<{ schema: string; bytes: string }>(
          `SELECT n.nspname AS schema, sum(pg_total_relation_size(c.oid)) AS bytes
         FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'm', 'S')
         WHERE n.nspname = ANY ($1::name[]) GROUP BY 1`,
          [schemas],
        );
        return answer.rows;
      },
    );
    const measured = new Map(rows.map(({ schema, bytes }) => [schema, Number(bytes)]));
    if (database.hasNodes) return { bytes: await withNodes(database, settings, schemas, measured) };
    return { bytes: new Map(schemas.map((schema) => [schema, measured.get(schema) ?? 0])) };
  } catch (error) {
    database.assertOpen(error);
    return { bytes: new Map(), note: `The sizes could not be measured: ${messageOf(error)}` };
  }
}

/** What is on a node has empty tables here. */
async function withNodes(
  database: Database,
  settings: TransactionSettings,
  schemas: readonly string[],
  here: ReadonlyMap<string, number>,
): Promise<Map<string, number>> {
  const placed = await withTransaction(
    database,
    settings,
    ['SET TRANSACTION READ ONLY'],
    async ({ client }) => (await client.query<{ schema: string; bytes: number | null }>(SIZES_ON_NODES)).rows,
  );
  const there = new Map(placed.map(({ schema, bytes }) => [schema, bytes]));
  return new Map(
    schemas.flatMap((schema) => {
      const bytes = there.has(schema) ? there.get(schema) : (here.get(schema) ?? 0);
      return typeof bytes === 'number' ? [[schema, bytes] as const] : [];
    }),
  );
}
