import type { QueryResultRow } from 'pg';
import type { TenantNames } from '../../names.ts';
import type { Database } from '../../db/database.ts';
import { withTransaction } from '../../db/transaction.ts';
import { TenantctlError } from '../../errors.ts';
import { startStopwatch } from '../../stopwatch.ts';
import { inVerbRun, type VerbOptions } from '../commands/in-verb-run.ts';
import { prepareState, readState, upgradeState } from '../install/state-schema.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { checkCall } from '../options/check-call.ts';
import { findTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { selectRenameFacts, type RenameFacts } from '../registry/rename-row.ts';
import { assertOrganizationId, newSchemaName } from '../registry/schema-name.ts';
import { silent, type Observer } from '../report/event.ts';
import { ONE_LANE } from '../run/lanes.ts';
import { createRunContext, type RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import { followRegistry } from '../state/tenant-ids.ts';
import { assertFinished } from '../state/unfinished-verb.ts';
import { readTombstones } from '../state/tombstones.ts';
import { readStateVersion } from '../state/version.ts';
import { dropLeftReplacements } from './common/schemas-beside.ts';
import { readEarlierRename } from './rename/earlier-rename.ts';
import { refusalOfRename, renameRefused } from './rename/rename-errors.ts';
import {
  type Rename,
  type Renamed,
  UNTOUCHED,
  attemptRename,
  renameInTransaction,
} from './rename/attempt-rename.ts';

export interface RenameOptions extends VerbOptions {
  /** Also renames the schema, after the new organization id. Without it the schema keeps its name. */
  readonly withSchema?: boolean | undefined;
  /** Renames the schema although functions or other objects name it in their text; the result names them. */
  readonly allowStale?: boolean | undefined;
}

export interface RenameResult extends Renamed {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  /** The names now; in a plan, as they would be. */
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly former: TenantNames;
  /** `already-renamed`: nothing was changed. */
  readonly outcome: 'renamed' | 'already-renamed';
  readonly durationMs: number;
}

/**
 * Gives a tenant another organization id, in one transaction under its lock. What tenantctl remembers of the tenant stays
 * with it. The channel `tenantctl` is notified of both ids. With `withSchema`, the schema gets the name that a new tenant
 * of this organization would have; then its tables are locked before the COMMIT, for as long as `lockTimeoutMs`.
 * @param tenant an organization id or a schema name
 * @throws TenantctlError TENANT_UNKNOWN; ORGANIZATION_ID_INVALID; TENANT_EXISTS for the new id; TENANT_NOT_ACTIVE unless
 *   it is ACTIVE or SUSPENDED; TENANT_UNFINISHED; SCHEMA_NAME_TAKEN; SCHEMA_STILL_NAMED; LOCK_TIMEOUT
 */
export async function renameTenant(
  database: Database,
  tenant: string,
  organizationId: string,
  given: RenameOptions = {},
): Promise<RenameResult> {
  checkCall(database, { ...given, tenant, organizationId }, 'tenant', 'organizationId');
  const options = checkCall(database, given);
  const { withSchema } = options;
  const asked = { tenants: [tenant], organization: organizationId, ...(withSchema && { withSchema: true }) };
  const call = { command: 'tenant rename', options, asked, endingOf } as const;
  return inVerbRun<RenameResult>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const work = await decideRename(database, tenant, organizationId, options);
    if (isDone(work)) return resultOf(work, 'already-renamed', UNTOUCHED, elapsedMs());
    await prepareState(database, await readState(database), observe);
    await refuseRename(database, work);
    await run.begin([]);
    await dropLeft(context, work);
    const done = await serveRename(context, work, observe);
    return resultOf(work, 'renamed', done, elapsedMs());
  });
}

/**
 * What a killed restore --replace has left of the tenant is found by the name of its schema: it goes before that name does.
 * @throws TenantctlError TENANT_UNFINISHED
 */
async function dropLeft(context: RunContext, { from, to, observe }: Rename): Promise<void> {
  const left = await dropLeftReplacements({ context, observe }, [from]);
  if (left.length === 0 || from.schema === to.schema) return;
  const message = `A killed restore --replace of "${from.clerkOrgId}" has left ${left.join(', ')}. Nothing was renamed.`;
  throw new TenantctlError('TENANT_UNFINISHED', message, {
    tenant: from.clerkOrgId,
    hint: 'Run the command again: it drops the schema first. Without --with-schema, the organization id alone is changed.',
  });
}

/** A rename that is refused leaves no run. It is looked at again under the lock. */
async function refuseRename(database: Database, { registry, from, to }: Rename): Promise<void> {
  const { rows } = await database
    .query<RenameFacts & QueryResultRow>(selectRenameFacts(database.names, registry, from, to))
    .catch((error: unknown) => {
      throw renameRefused(error, { from, to });
    });
  const refusal = rows[0] && refusalOfRename(rows[0], from, to);
  if (refusal !== undefined) throw refusal;
}

function endingOf({ outcome }: RenameResult): RunEnding {
  const changed = outcome === 'renamed' ? 1 : 0;
  return { outcome: 'done', totals: { selected: 1, upToDate: 1 - changed, changed, failed: 0, skipped: 0 } };
}

/** What renameTenant would do; nothing is changed. @throws TenantctlError as renameTenant */
export async function planRename(
  database: Database,
  tenant: string,
  organizationId: string,
  options: RenameOptions = {},
): Promise<RenameResult> {
  checkCall(database, { ...options, tenant, organizationId }, 'tenant', 'organizationId');
  const elapsedMs = startStopwatch();
  const work = await decideRename(database, tenant, organizationId, options);
  if (isDone(work)) return resultOf(work, 'already-renamed', UNTOUCHED, elapsedMs());
  const state = await readState(database);
  const context = createRunContext(database, options);
  return withTransaction(database, context, [], async (transaction) => {
    transaction.abandon();
    const { client } = transaction;
    await upgradeState(client, database, state.version);
    await followRegistry({ query: client.query.bind(client) });
    const done = await renameInTransaction(context, work, transaction);
    return resultOf(work, 'renamed', done, elapsedMs());
  }).catch((error: unknown) => {
    throw renameRefused(error, work);
  });
}

/** The names before and after. A rename that was done is found again by the ledger. */
async function decideRename(
  database: Database,
  tenant: string,
  organizationId: string,
  { withSchema = false, allowStale = false, observe = silent }: RenameOptions,
): Promise<Rename> {
  assertOrganizationId(organizationId);
  const registry = await assertRegistry(database);
  const [found] = await findTenants(database, [tenant]).catch(async (error: unknown) => {
    const earlier = await readEarlierRename(database, tenant, organizationId);
    if (earlier === undefined) throw error;
    return [earlier];
  });
  if (found !== undefined && 'unfinished' in found) assertFinished(found.unfinished);
  const from = { clerkOrgId: found?.clerkOrgId ?? tenant, schema: found?.schema ?? '' };
  const [dropped] = await readTombstones(database, await readStateVersion(database), [organizationId]);
  if (dropped?.clerkOrgId === organizationId)
    observe({
      type: 'warning',
      message: `Another tenant "${organizationId}" was dropped at ${dropped.droppedAt.toISOString()}: its tombstone and its backups are not this tenant's.`,
    });
  const schema = withSchema ? newSchemaName(database.names, organizationId) : from.schema;
  return { registry, from, to: { clerkOrgId: organizationId, schema }, allowStale, observe };
}

function isDone({ from, to }: Rename): boolean {
  return from.clerkOrgId === to.clerkOrgId && from.schema === to.schema;
}

async function serveRename(context: RunContext, work: Rename, observe: Observer): Promise<Renamed> {
  const { outcomes } = await serve<{ readonly tenant: TenantNames }, Renamed>(
    context,
    [{ tenant: work.from }],
    {
      lanes: ONE_LANE,
      observe,
      attempt: (_, earlier) => attemptRename(context, work, earlier),
      // A tenant's last failure is that of a migration, and decides its class: only the run records this one.
      ledger: { command: 'tenant rename', direction: 'up', areStanding: true },
    },
  );
  const [outcome] = outcomes;
  if (outcome?.kind === 'done') return outcome.done;
  if (outcome?.kind === 'failed') throw outcome.error;
  throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was renamed.');
}

function resultOf(
  { from, to }: Rename,
  outcome: RenameResult['outcome'],
  done: Renamed,
  durationMs: number,
): RenameResult {
  return { ...to, former: from, outcome, ...done, durationMs };
}
