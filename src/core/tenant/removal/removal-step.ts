import type { PoolClient } from 'pg';
import { literal } from '../../../db/sql.ts';
import type { OpenTransaction } from '../../../db/transaction.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import { refusedStatus } from '../../registry/registration-errors.ts';
import { registrySql } from '../../registry/registry-sql.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { statusIn } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import type { Shape } from '../../shape/shape.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import type { VerbIntent } from '../../state/unfinished-verb.ts';
import { isAtWorkElsewhere, selectVerbIntent } from '../../state/verb-intents.ts';
import { type OutsideTies } from '../common/outside-ties.ts';
import { type RemovalVerb, type RemovedTenant } from './removal-result.ts';
import type { Save } from './save-before-removal.ts';

export interface Removal {
  readonly verb: RemovalVerb;
  readonly registry: RegistryShape;
  /**
   * Backs the tenant up, in a transaction in which nobody else can read or write its tables. Absent if no backup is
   * wanted.
   */
  readonly save?: Save | undefined;
}

/** What was done. */
export interface Removed {
  /** Another process had done all of it. */
  readonly isOver?: boolean;
  readonly backupFile?: string | undefined;
  /** Present while there is more to do: what ties the schema to others. */
  readonly ties?: OutsideTies['ties'];
}

/** What the intent remembers: how the tenant was before, to give it back. */
export interface Before {
  readonly status?: string;
  readonly restore?: readonly string[];
  /** What validates the foreign keys of `restore` that were valid. */
  readonly validate?: readonly string[];
  /** For the backup. */
  readonly shape?: Shape;
  /** What the schema is called since it was backed up, because it is dropped in parts. */
  readonly away?: string;
  readonly backupFile?: string | undefined;
}

export interface Seen {
  readonly status: string | null;
  /** How many rows of the registry name the schema. */
  readonly rows: number;
  readonly isKnown: boolean;
  readonly isDropped: boolean;
  readonly intent: VerbIntent | null;
  /** The intent's run is another one, and still at work. */
  readonly isAtWork: boolean;
}

/** What decides the next step, read under the tenant's lock. */
export async function look(
  { database: { names }, run }: RunContext,
  client: PoolClient,
  tenant: RemovedTenant,
): Promise<Seen> {
  const { clerkOrgId, schema } = tenant;
  const { table, schema: column } = registrySql(names);
  const id = tenantId(schema);
  const { rows } = await client.query<Seen>(
    `SELECT ${statusIn(names, tenant)} AS status,
            (SELECT count(*)::int FROM ${table} WHERE ${column}::text = ${literal(schema)}) AS rows,
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.id = ${id} AND k.clerk_org_id = ${literal(clerkOrgId)}) AS "isKnown",
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.schema_name = ${literal(schema)} AND k.clerk_org_id = ${literal(clerkOrgId)}
                    AND k.dropped_at IS NOT NULL) AS "isDropped",
            ${selectVerbIntent(schema)} AS intent,
            ${isAtWorkElsewhere(schema, run?.id)} AS "isAtWork"`,
  );
  const [seen] = rows;
  if (seen === undefined) throw new Error('a query without a condition returned no row');
  return seen;
}

/** Another process has done all of it. */
export function isOver(verb: RemovalVerb, { status, isDropped }: Seen): boolean {
  return verb === 'drop' ? status === null && isDropped : status === TRANSITIONS[verb].to;
}

/** One step of a removal: a transaction under the tenant's lock. */
export function underLock(
  context: RunContext,
  verb: RemovalVerb,
  tenant: RemovedTenant,
  use: (transaction: OpenTransaction) => Promise<Attempt<Removed>>,
): Promise<Attempt<Removed>> {
  const explain = (thrown: unknown) =>
    refusedStatus(context.database.names, tenant.clerkOrgId, thrown, TRANSITIONS[verb].during);
  return tryUnderLock(context, tenant.schema, use, explain, verb);
}
