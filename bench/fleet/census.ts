import { deepStrictEqual } from 'node:assert';
import { withConnection } from '../server/connection.ts';
import type { HistoryForm } from './histories.ts';
import type { BenchTenant } from './tenants.ts';

/** The content of a fleet's schemas, summed over its tenants. */
interface Census {
  readonly schemas: number;
  readonly tables: number;
  readonly indexes: number;
  readonly foreignKeys: number;
  readonly addedColumns: number;
  readonly historyRows: number;
}

/** Without the history. */
export interface Content {
  readonly tables: number;
  readonly indexes: number;
  readonly foreignKeys: number;
  readonly migrations: number;
}

/** Three tables with primary keys, one plain and two unique indexes. */
const INIT_CONTENT: Content = { tables: 3, indexes: 6, foreignKeys: 1, migrations: 3 };

export interface FleetState {
  readonly history: HistoryForm;
  /** What the migrations make in a tenant; those of `init` if absent. */
  readonly content?: Content | undefined;
  /** Tenants with these migrations; other schemas are empty. */
  readonly initialized: number;
  /** Tenants that also have the column of `add`. */
  readonly added: number;
}

const HISTORIES_PER_QUERY = 250;

/** Verifies the work by counting objects, so that only done work is timed. @throws AssertionError */
export async function checkFleet(
  url: string,
  tenants: readonly BenchTenant[],
  state: FleetState,
): Promise<void> {
  const { history, content = INIT_CONTENT, initialized, added } = state;
  const expected: Census = {
    schemas: tenants.length,
    tables: (content.tables + history.tables) * initialized,
    indexes: (content.indexes + history.indexes) * initialized,
    foreignKeys: content.foreignKeys * initialized,
    addedColumns: added,
    historyRows: content.migrations * initialized + added,
  };
  deepStrictEqual(
    await takeCensus(url, tenants, history),
    expected,
    'the fleet does not hold what it should',
  );
}

async function takeCensus(
  url: string,
  tenants: readonly BenchTenant[],
  history: HistoryForm,
): Promise<Census> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<Omit<Census, 'historyRows'> & { histories: string[] }>(
      `WITH fleet AS (SELECT oid FROM pg_namespace WHERE nspname = ANY ($1))
       SELECT (SELECT count(*)::int FROM fleet) AS schemas,
              (SELECT count(*)::int FROM pg_class WHERE relkind = 'r' AND relnamespace IN (TABLE fleet)) AS tables,
              (SELECT count(*)::int FROM pg_class WHERE relkind = 'i' AND relnamespace IN (TABLE fleet)) AS indexes,
              (SELECT count(*)::int FROM pg_constraint
               WHERE contype = 'f' AND connamespace IN (TABLE fleet)) AS "foreignKeys",
              (SELECT count(*)::int FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
               WHERE a.attname = 'model' AND c.relnamespace IN (TABLE fleet)) AS "addedColumns",
              (SELECT coalesce(array_agg(oid::regclass::text), '{}') FROM pg_class
               WHERE relname = $2 AND relnamespace IN (TABLE fleet)) AS histories`,
      [tenants.map(({ schema }) => schema), history.table],
    );
    const [found] = rows;
    if (found === undefined) throw new Error('the census returned nothing');
    const { histories, ...catalog } = found;
    let historyRows = 0;
    for (let at = 0; at < histories.length; at += HISTORIES_PER_QUERY) {
      const parts = histories
        .slice(at, at + HISTORIES_PER_QUERY)
        .map((table) => `SELECT count(*) AS n FROM ${table}`);
      const counted = await client.query<{ n: number }>(
        `SELECT sum(n)::int AS n FROM (${parts.join(' UNION ALL ')}) counted`,
      );
      historyRows += counted.rows[0]?.n ?? 0;
    }
    return { ...catalog, historyRows };
  });
}
