import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import type { OpenTransaction } from '../../db/transaction.ts';
import type { TenantctlError } from '../../errors.ts';
import type { Names, TenantNames } from '../../names.ts';
import { namesOf } from '../commands/in-run.ts';
import { inVerbRun, type FleetVerbOptions } from '../commands/in-verb-run.ts';
import {
  toVerbResult,
  verbResult,
  verbResults,
  type VerbResult,
  type VerbResults,
} from '../commands/verb-result.ts';
import { tryUnderLock } from '../commands/try-under-lock.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { endingOfOutcomes } from '../ledger/run-ending.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { adoptRow, selectAdoptFacts, takesRows, type AdoptFacts } from '../registry/adopt-row.ts';
import { assertHolds, assertRegistry, type RegistryShape } from '../registry/registry-shape.ts';
import { unheldId } from '../registry/registration-errors.ts';
import { assertOrganizationId } from '../registry/schema-name.ts';
import { CHANNEL } from '../registry/status.ts';
import { TRANSITIONS } from '../registry/transitions.ts';
import { grantApplications } from '../roles/application-roles.ts';
import { createLanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt, Outcome } from '../serve/work.ts';
import { knowAdopted } from '../state/tenant-ids.ts';
import { observeEnd } from '../serve/observe-end.ts';
import { refusalOfAdoption } from './adoption/adopt-errors.ts';

export type AdoptOptions = FleetVerbOptions;

/** How the adoption of a schema ended. */
export interface AdoptionResult extends VerbResult<'adopted' | 'already-adopted'> {
  /** The line of the map, if it was refused (parseAdoptions). */
  readonly line?: number | undefined;
}

export type Adoptions = VerbResults<AdoptionResult>;

interface Done {
  readonly isChanged: boolean;
}

/**
 * Registers existing schemas as ACTIVE tenants of these organizations, each in a transaction under its lock. What
 * tenantctl remembers of a schema that was a tenant's before is the tenant's again. The roles of applications get their
 * rights; nothing else in the schema is changed.
 * @throws TenantctlError REGISTRY_ABSENT, REGISTRY_INVALID. One schema's failure is in its result: SCHEMA_MISSING,
 *   SCHEMA_NAME_TAKEN, TENANT_EXISTS, TENANT_UNKNOWN if the registry takes no rows, ORGANIZATION_ID_INVALID,
 *   LOCK_TIMEOUT
 */
export async function adoptTenants(
  database: Database,
  adoptions: readonly TenantNames[],
  given: AdoptOptions = {},
): Promise<Adoptions> {
  const organizationIds = adoptions.map(({ clerkOrgId }) => clerkOrgId);
  const names = adoptions.map(({ schema }) => schema);
  checkOptions({ organizationIds, names }, 'organizationIds', 'names');
  const options = checkCall(database, given);
  const call = { command: 'tenant adopt', options, asked: namesOf(organizationIds), endingOf } as const;
  return inVerbRun<Adoptions>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const registry = await assertRegistry(database);
    assertHolds(registry, database.names, TRANSITIONS.adopt.to);
    await prepareState(database, await readState(database), observe);
    await run.begin([]);
    const lanes = await createLanes(database, options.concurrency, observe, adoptions.length);
    observe({ type: 'selected', total: adoptions.length, due: adoptions.length });
    const { outcomes } = await serve<{ readonly tenant: TenantNames }, Done>(
      context,
      adoptions.map(({ clerkOrgId, schema }) => ({ tenant: { clerkOrgId, schema } })),
      {
        lanes,
        observe,
        attempt: ({ tenant }) => attemptAdoption(context, registry, tenant),
        onEnd: observeEnd(observe, 'adopted', toResult),
        ledger: { command: 'tenant adopt', direction: 'up', areStanding: true },
      },
    );
    const places = new Map(adoptions.map(({ schema }, place) => [schema, place]));
    const placeOf = ({ schema }: AdoptionResult) => places.get(schema) ?? 0;
    const tenants = outcomes.map(toResult).toSorted((a, b) => placeOf(a) - placeOf(b));
    return verbResults(tenants, elapsedMs());
  });
}

/** What adoptTenants would do, one after the other; nothing is changed. @throws TenantctlError as adoptTenants */
export async function planAdoption(
  database: Database,
  adoptions: readonly TenantNames[],
): Promise<AdoptionResult[]> {
  const organizationIds = adoptions.map(({ clerkOrgId }) => clerkOrgId);
  checkCall(database, { organizationIds }, 'organizationIds');
  const { names } = database;
  const registry = await assertRegistry(database);
  assertHolds(registry, names, TRANSITIONS.adopt.to);
  const planned: AdoptionResult[] = [];
  for (const { clerkOrgId, schema } of adoptions) {
    const tenant = { clerkOrgId, schema };
    const { isDone, error } = await lookAt(database, names, registry, tenant).catch((thrown: unknown) => ({
      isDone: false,
      error: toDatabaseError(thrown),
    }));
    const outcome = error !== undefined ? 'failed' : isDone ? 'already-adopted' : 'adopted';
    planned.push(verbResult(tenant, outcome, { error }));
  }
  return planned;
}

function attemptAdoption(
  context: RunContext,
  registry: RegistryShape,
  tenant: TenantNames,
): Promise<Attempt<Done>> {
  return tryUnderLock<Done>(
    context,
    tenant.schema,
    (transaction) => adoptInTransaction(context, registry, tenant, transaction),
    (thrown) => toDatabaseError(thrown, { tenant: tenant.clerkOrgId }),
  );
}

async function adoptInTransaction(
  { database: { names }, run }: RunContext,
  registry: RegistryShape,
  tenant: TenantNames,
  transaction: OpenTransaction,
): Promise<Attempt<Done>> {
  const { client } = transaction;
  const { isDone, error, hasRow } = await lookAt(client, names, registry, tenant);
  if (isDone || error !== undefined) transaction.abandon();
  if (error !== undefined) return { kind: 'failed', error, mayRepeat: false };
  if (isDone) return { kind: 'done', done: { isChanged: false } };
  await client.query(adoptRow(names, registry, tenant, hasRow));
  await client.query(knowAdopted(tenant));
  await transaction.commitWith([
    grantApplications(literal(tenant.schema)),
    // A schema without a history gets no stamp.
    `SELECT tenantctl.stamp(${literal(tenant.schema)}::text)`,
    `SELECT pg_notify('${CHANNEL}', ${literal(tenant.clerkOrgId)})`,
    ...recordInLedger(run?.id, tenant, { direction: 'up', outcome: 'adopted' }),
  ]);
  return { kind: 'done', done: { isChanged: true } };
}

/** Whether a schema is the tenant's already, or cannot become it. @throws TenantctlError ORGANIZATION_ID_INVALID */
async function lookAt(
  client: Pick<Database, 'query'>,
  names: Names,
  registry: RegistryShape,
  tenant: TenantNames,
): Promise<{ isDone: boolean; hasRow: boolean; error?: TenantctlError | undefined }> {
  assertOrganizationId(tenant.clerkOrgId);
  const { rows } = await client
    .query<AdoptFacts & QueryResultRow>(selectAdoptFacts(names, registry, tenant))
    .catch((error: unknown) => {
      throw unheldId(tenant.clerkOrgId, error);
    });
  const [facts] = rows;
  if (facts === undefined) throw new Error('the facts are always one row');
  const isDone = facts.ownedBy === tenant.clerkOrgId && facts.owner !== null;
  const error = isDone ? undefined : refusalOfAdoption(names, takesRows(names, registry), tenant, facts);
  return { isDone, error, hasRow: facts.row !== null };
}

function toResult(outcome: Outcome<{ readonly tenant: TenantNames }, Done>): AdoptionResult {
  return toVerbResult(outcome, {}, ({ isChanged }) => ({
    outcome: isChanged ? ('adopted' as const) : ('already-adopted' as const),
  }));
}

/** Pure. */
function endingOf({ tenants }: Adoptions) {
  return endingOfOutcomes(tenants, { changed: ['adopted'], upToDate: ['already-adopted'] });
}
