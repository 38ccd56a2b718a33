import { identifier, literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { historyOf } from '../stamps/server-side.ts';
import { deleteIntent } from '../state/intents.ts';
import { tenantId } from '../state/tenant-ids.ts';

/** A tenant whose provisioning has failed. */
interface HalfMade {
  readonly schema: string;
  /** The role that was created for it, if any. */
  readonly role?: string | undefined;
  /** The run that began it, if it is recorded. */
  readonly run?: number | undefined;
}

/**
 * The statements that remove what a failed provisioning has made of a tenant. Whoever sends them holds the tenant's lock.
 * Three traces stay: its row in the registry (FAILED), its failure, and its id, which the failure refers to.
 */
export function removeTraces(names: Names, { schema, role, run }: HalfMade): string[] {
  const entries = `DELETE FROM tenantctl.run_tenants WHERE tenant = ${tenantId(schema)} AND run = ${run}`;
  return [
    // A stamp is found by its table, so it goes first.
    `DELETE FROM tenantctl.stamps WHERE history_oid = ${historyOf(names, literal(schema))}`,
    // With its history tables and the function of their trigger.
    `DROP SCHEMA IF EXISTS ${identifier(schema)} CASCADE`,
    ...(role === undefined ? [] : [`DROP ROLE IF EXISTS ${identifier(role)}`]),
    deleteIntent(schema),
    ...(run === undefined ? [] : [entries]),
  ];
}
