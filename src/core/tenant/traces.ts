import { identifier, literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { historyOf } from '../stamps/server-side.ts';
import { forgetFailure } from '../state/failures.ts';
import { deleteIntent } from '../state/intents.ts';
import { tenantId } from '../state/tenant-ids.ts';

/** A tenant that traces are removed of. */
export interface Traced {
  readonly schema: string;
  /** The role that its schema belongs to, if it has one of its own. */
  readonly role?: string | undefined;
  /** Only the ledger's entries of this run; all where absent. */
  readonly run?: number | undefined;
}

/**
 * All that there is of a tenant in a database, each with the statement that removes it. The order is that of removal: a
 * stamp is found by its table, and the rest by the id, which goes last.
 */
const TRACES = {
  stamp: (names: Names, { schema }: Traced) =>
    `DELETE FROM tenantctl.stamps WHERE history_oid = ${historyOf(names, literal(schema))}`,
  /** With its history tables, and the function of their trigger. */
  schema: (_: Names, { schema }: Traced) => `DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE`,
  role: (_: Names, { role }: Traced) =>
    role === undefined ? undefined : `DROP ROLE IF EXISTS ${identifier(role)}`,
  intent: (_: Names, { schema }: Traced) => deleteIntent(schema),
  failure: (_: Names, { schema }: Traced) => forgetFailure(schema),
  ledger: (_: Names, { schema, run }: Traced) =>
    `DELETE FROM tenantctl.run_tenants WHERE tenant = ${tenantId(schema)}${run === undefined ? '' : ` AND run = ${run}`}`,
  row: (names: Names, { schema }: Traced) => {
    const { table, schema: column } = registrySql(names);
    return `DELETE FROM ${table} WHERE ${column}::text = ${literal(schema)}`;
  },
  id: (_: Names, { schema }: Traced) => `DELETE FROM tenantctl.tenants WHERE id = ${tenantId(schema)}`,
} as const;

export type Trace = keyof typeof TRACES;

/** The statements that remove these traces of a tenant, in their order. Whoever sends them holds its lock. */
export function removeTraces(names: Names, tenant: Traced, traces: readonly Trace[]): string[] {
  return Object.entries(TRACES)
    .filter(([trace]) => traces.some((each) => each === trace))
    .flatMap(([, statement]) => statement(names, tenant) ?? []);
}
