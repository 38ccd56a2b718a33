import type { PoolClient } from 'pg';
import { keepLock } from '../../db/lock-keeper.ts';
import { literal, qualified } from '../../db/sql.ts';
import type { OpenTransaction } from '../../db/transaction.ts';
import { tryUnderLock } from '../commands/try-under-lock.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { refusedSchema, refusedStatus } from '../registry/registration-errors.ts';
import { registrySql, statusOf } from '../registry/registry-sql.ts';
import type { RegistryShape } from '../registry/registry-shape.ts';
import { changeStatus, deleteRow, whereRow } from '../registry/status.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Attempt } from '../serve/work.ts';
import { readShape } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { AT_WORK } from '../state/run-at-work.ts';
import { forgetAllFailures } from '../state/failures.ts';
import { buryTenant } from '../state/tombstones.ts';
import { tenantAmbiguous, tenantId } from '../state/tenant-ids.ts';
import { beginVerb, endVerb, selectVerbIntent, type VerbIntent } from '../state/verb-intents.ts';
import { assertUnreferenced, readOutsideTies, type OutsideTies } from './outside-ties.ts';
import { dropOwnRole } from './own-role.ts';
import { REMOVED, type RemovalVerb, type RemovedTenant } from './removal-result.ts';
import type { Save } from './save-before-removal.ts';
import { removeTraces } from './traces.ts';

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
interface Before {
  readonly status?: string;
  readonly restore?: readonly string[];
  /** For the backup. */
  readonly shape?: Shape;
}

/**
 * Takes a tenant's schema away, in several transactions, each under the tenant's lock. Killed between any two of them,
 * the next attempt continues.
 *
 * 1. SUSPENDED, with an intent: from now on all else leaves the tenant alone.
 * 2. One short transaction for each foreign key to a table outside the schema: to drop a table takes the strongest
 *    lock on each table that it refers to, and every tenant would wait for the end of the drop.
 * 3. The tenant's tables are locked, backed up, and dropped: nothing that is written later can exist.
 */
export async function removeTenant(
  context: RunContext,
  removal: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  let attempt = await begin(context, removal, tenant);
  while (attempt.kind === 'done' && attempt.done.ties !== undefined)
    attempt = await (attempt.done.ties.length > 0 ? untie : finish)(context, removal, tenant);
  return attempt;
}

interface Seen {
  readonly status: string | null;
  /** How many rows of the registry name the schema. */
  readonly rows: number;
  readonly isKnown: boolean;
  readonly isDropped: boolean;
  readonly intent: VerbIntent | null;
  /** The intent's run is another one, and still at work. */
  readonly isAtWork: boolean;
}

async function look(
  { database: { names }, run }: RunContext,
  client: PoolClient,
  { clerkOrgId, schema }: RemovedTenant,
): Promise<Seen> {
  const { table, status, schema: column } = registrySql(names);
  const id = tenantId(schema);
  const { rows } = await client.query<Seen>(
    `SELECT (SELECT ${statusOf(names, status)} FROM ${table} WHERE ${whereRow(names, clerkOrgId, schema)}) AS status,
            (SELECT count(*)::int FROM ${table} WHERE ${column}::text = ${literal(schema)}) AS rows,
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.id = ${id} AND k.clerk_org_id = ${literal(clerkOrgId)}) AS "isKnown",
            EXISTS (SELECT FROM tenantctl.tenants k WHERE k.schema_name = ${literal(schema)} AND k.clerk_org_id = ${literal(clerkOrgId)}
                    AND k.dropped_at IS NOT NULL) AS "isDropped",
            ${selectVerbIntent(schema)} AS intent,
            EXISTS (SELECT FROM tenantctl.verb_intents i JOIN tenantctl.runs r ON r.id = i.run
                    WHERE i.tenant = ${id} AND r.id IS DISTINCT FROM ${run?.id ?? 'NULL'} AND ${AT_WORK}) AS "isAtWork"`,
  );
  const [seen] = rows;
  if (seen === undefined) throw new Error('a query without a condition returned no row');
  return seen;
}

/** @throws TenantctlError why the tenant must not lose its schema */
function assertRemovable(verb: RemovalVerb, tenant: RemovedTenant, { status, rows, isKnown }: Seen): void {
  if (!TRANSITIONS[verb].from.some((word) => word === status)) throw tenantNotActive(tenant, status);
  const shared = rows > 1 ? { ...tenant, sharedBy: 'several organizations' } : tenant;
  const refused = refusedSchema(shared);
  if (refused !== undefined) throw refused;
  if (!isKnown && tenant.schema !== '') throw tenantAmbiguous(tenant);
}

function isOver(verb: RemovalVerb, { status, isDropped }: Seen): boolean {
  return verb === 'drop' ? status === null && isDropped : status === TRANSITIONS[verb].to;
}

function begin(
  context: RunContext,
  { verb, registry, save }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  const { names } = context.database;
  const { from, during } = TRANSITIONS[verb];
  const run = context.run?.id;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const seen = await look(context, client, tenant);
    const { status, intent } = seen;
    if (isOver(verb, seen) || seen.isAtWork) {
      transaction.abandon();
      return seen.isAtWork ? { kind: 'busy' } : { kind: 'done', done: { isOver: true } };
    }
    assertRemovable(verb, tenant, seen);
    if (schema === '') {
      await transaction.commitWith([deleteRow(names, tenant)]);
      return { kind: 'done', done: {} };
    }
    const found = await readOutsideTies(client, schema);
    assertUnreferenced(tenant, found);
    const { ties } = found;
    // Of an ARCHIVED tenant, the schema is gone. An ACTIVE one must not lose its schema unseen.
    const isGone = verb === 'drop' && found.objects === 0;
    const shape = save && !isGone ? await readShape(client, schema, context.database) : undefined;
    const before = { status, restore: ties.map(({ restore }) => restore), ...(shape && { shape }) };
    // What it was before a removal that was killed, that one has recorded. Before another verb, nobody has.
    const details =
      intent?.verb === verb ? { ...before, ...intent.details } : intent === null ? before : { shape };
    await transaction.commitWith([
      ...(status === during ? [] : [changeStatus(names, registry, tenant, { from, to: during })]),
      beginVerb(schema, { verb, details, ...(run !== undefined && { run }) }),
    ]);
    return { kind: 'done', done: { ties } };
  });
}

/** Removes the first of the ties that are left. */
function untie(context: RunContext, { verb }: Removal, tenant: RemovedTenant): Promise<Attempt<Removed>> {
  return underLock(context, verb, tenant, async (transaction) => {
    const [first, ...ties] = (await readOutsideTies(transaction.client, tenant.schema)).ties;
    if (first === undefined) transaction.abandon();
    else await transaction.commitWith([first.remove]);
    return { kind: 'done', done: { ties } };
  });
}

function finish(
  context: RunContext,
  { verb, registry, save }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  const { database, run } = context;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const seen = await look(context, client, tenant);
    const { status, intent } = seen;
    if (isOver(verb, seen)) return { kind: 'done', done: { isOver: true } };
    if (status !== TRANSITIONS[verb].during || intent?.verb !== verb) throw tenantNotActive(tenant, status);
    await lockTables(client, schema);
    const found = await readOutsideTies(client, schema);
    assertUnreferenced(tenant, found);
    if (found.ties.length > 0) {
      transaction.abandon();
      return { kind: 'done', done: { ties: found.ties } };
    }
    const { shape } = intent.details as Before;
    const saved =
      save === undefined || shape === undefined
        ? undefined
        : await keepingLock(client, () => save(client, tenant, shape));
    for (const statement of removeTraces(database.names, { schema })) await client.query(statement);
    await dropOwnRole(context, client, tenant);
    await transaction.commitWith([
      ...(saved?.record ?? []),
      ...recordInLedger(run?.id, tenant, { direction: 'down', outcome: REMOVED[verb] }),
      forgetAllFailures(schema),
      endVerb(schema),
      ...(verb === 'drop'
        ? [
            deleteRow(database.names, tenant),
            buryTenant(schema, found.objects === 0 ? undefined : (saved?.file ?? null)),
          ]
        : [changeStatus(database.names, registry, tenant, ARCHIVED)]),
    ]);
    return { kind: 'done', done: { backupFile: saved?.file } };
  });
}

const ARCHIVED = { from: [TRANSITIONS.archive.during], to: TRANSITIONS.archive.to } as const;

/** Readers, too: whoever has read a row before may write it later. Waits for the applications at work there. */
async function lockTables(client: PoolClient, schema: string): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT c.relname::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') ORDER BY 1`,
    [schema],
  );
  if (rows.length === 0) return;
  const tables = rows.map(({ name }) => qualified(schema, name));
  await client.query(`LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE`);
}

/** While the work is not on the server, as when a file is verified. */
async function keepingLock<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  const keeper = keepLock(client);
  try {
    return await work();
  } finally {
    await keeper.release();
  }
}

/**
 * After a failure: the tenant gets back what `removeTenant` has taken from it so far, its status and its foreign keys.
 * Nothing is done if the removal was begun by another verb or taken over.
 */
export function giveBack(
  context: RunContext,
  { verb, registry }: Removal,
  tenant: RemovedTenant,
): Promise<Attempt<Removed>> {
  const { schema } = tenant;
  return underLock(context, verb, tenant, async (transaction) => {
    const { client } = transaction;
    const { intent, status: now } = await look(context, client, tenant);
    const { status, restore = [] } = (intent?.details ?? {}) as Before;
    if (intent?.verb !== verb || intent.run !== (context.run?.id ?? null) || status === undefined) {
      transaction.abandon();
      return { kind: 'done', done: {} };
    }
    const { ties } = await readOutsideTies(client, schema);
    const left = new Set(ties.map(({ restore }) => restore));
    const { from, during } = TRANSITIONS[verb];
    const to = from.find((word) => word === status);
    await transaction.commitWith([
      ...restore.filter((statement) => !left.has(statement)),
      ...(to === undefined || to === now
        ? []
        : [changeStatus(context.database.names, registry, tenant, { from: [during], to })]),
      endVerb(schema),
    ]);
    return { kind: 'done', done: {} };
  });
}

function underLock(
  context: RunContext,
  verb: RemovalVerb,
  tenant: RemovedTenant,
  use: (transaction: OpenTransaction) => Promise<Attempt<Removed>>,
): Promise<Attempt<Removed>> {
  const explain = (thrown: unknown) =>
    refusedStatus(context.database.names, tenant.clerkOrgId, thrown, TRANSITIONS[verb].during);
  return tryUnderLock(context, tenant.schema, use, explain, verb);
}
