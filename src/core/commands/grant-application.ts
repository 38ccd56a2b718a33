import type { TenantNames } from '../../names.ts';
import type { Database } from '../../db/database.ts';
import { toDatabaseError } from '../../db/database-error.ts';
import { literal } from '../../db/sql.ts';
import { withTransaction } from '../../db/transaction.ts';
import { ensureState, readState } from '../install/state-schema.ts';
import { recordFailures } from '../ledger/failures.ts';
import type { RunEnding } from '../ledger/run-ending.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import type { Observer } from '../report/event.ts';
import { grantApplications } from '../roles/application-roles.ts';
import { givenRegistryRights, givenRights, missingRegistryRights } from '../roles/application-rights.ts';
import { createLanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Attempt, Outcome } from '../serve/work.ts';
import { inVerbRun, type FleetVerbOptions } from './in-verb-run.ts';
import { toVerbResult, verbResults, type VerbResult, type VerbResults } from './verb-result.ts';
import { readGrantPlan, type GrantPlan } from './plan-grant.ts';
import { mayNotGrant } from './grant-errors.ts';
import { tryUnderLock } from './try-under-lock.ts';

export interface GrantApplicationOptions extends Omit<FleetVerbOptions, 'tenantRole'> {
  /** Takes back what was given, and forgets the role. */
  readonly revoke?: boolean | undefined;
}

/** How it ended for one tenant. */
export type TenantGrant = VerbResult<'granted' | 'revoked'>;

export interface GrantApplicationResult extends VerbResults<TenantGrant> {
  readonly role: string;
  readonly totals: {
    readonly selected: number;
    /** Tenants where nothing had to be changed. */
    readonly upToDate: number;
    readonly changed: number;
    readonly failed: number;
    readonly skipped: number;
  };
  /** All tenants but those where nothing had to be changed. */
  readonly tenants: readonly TenantGrant[];
}

/**
 * Gives an application's role what `openTenants` needs, and remembers it, so that provisioning gives it the same in each
 * new tenant: SELECT on the registry and on the tenants' histories; in each tenant's schema USAGE, SELECT, INSERT,
 * UPDATE and DELETE on tables and views, and USAGE on sequences, later ones included. Each tenant's rights are given in
 * a short transaction under the tenant's lock. What the role has already is not given again.
 * @throws TenantctlError APPLICATION_ROLE_UNUSABLE; RIGHTS_MISSING if the registry's rights cannot be granted. One
 *   tenant's failure is in its result
 */
export async function grantApplication(
  database: Database,
  role: string,
  given: GrantApplicationOptions = {},
): Promise<GrantApplicationResult> {
  checkOptions({ role }, 'role');
  const options = checkCall(database, given);
  const { revoke, concurrency } = options;
  const call = { command: 'grant application', options, asked: { role, revoke }, endingOf } as const;
  return inVerbRun<GrantApplicationResult>(database, call, async ({ context, run, observe, elapsedMs }) => {
    await ensureState(database, await readState(database), observe);
    const registry = await readGrantPlan(database, role, { revoke });
    await run.begin([]);
    await changeRegistry(database, registry);
    // After the role is remembered: a tenant that is provisioned meanwhile gets its rights here, or there.
    const plan = await readGrantPlan(database, role, { revoke });
    const tenants = await serveGrants(context, plan, { observe, concurrency });
    return resultOf(plan, tenants, elapsedMs());
  });
}

/** Remembers or forgets the role, with its rights on the registry, in one transaction. */
async function changeRegistry(database: Database, { role, isRevoked, statements }: GrantPlan): Promise<void> {
  const { names } = database;
  const name = literal(role);
  const remember = isRevoked
    ? `DELETE FROM tenantctl.application_roles WHERE role_name = ${name}`
    : `INSERT INTO tenantctl.application_roles (role_name) VALUES (${name}) ON CONFLICT DO NOTHING`;
  const left = isRevoked ? givenRegistryRights(names, name) : missingRegistryRights(names, name);
  try {
    await withTransaction(database, {}, [], async ({ client }) => {
      await client.query([remember, ...statements].join(';\n'));
      const { rows } = await client.query<{ statement: string }>(left);
      if (rows.length > 0 && !isRevoked)
        throw mayNotGrant(
          role,
          rows.map(({ statement }) => statement),
        );
    });
  } catch (error) {
    throw toDatabaseError(error).sqlstate === '42501' ? mayNotGrant(role, statements, error) : error;
  }
}

interface GrantTask {
  readonly tenant: TenantNames;
}

async function serveGrants(
  context: RunContext,
  plan: GrantPlan,
  { observe, concurrency }: Pick<GrantApplicationOptions, 'concurrency'> & { readonly observe: Observer },
): Promise<TenantGrant[]> {
  const { database } = context;
  const changed = plan.isRevoked ? ('revoked' as const) : ('granted' as const);
  const toResult = (outcome: Outcome<GrantTask, undefined>): TenantGrant =>
    toVerbResult(outcome, {}, () => ({ outcome: changed }));
  observe({ type: 'selected', total: plan.total, due: plan.tenants.length });
  if (plan.tenants.length === 0) return [];
  const { outcomes } = await serve<GrantTask, undefined>(
    context,
    plan.tenants.map(({ tenant }) => ({ tenant })),
    {
      lanes: await createLanes(database, concurrency, observe, plan.tenants.length),
      observe,
      attempt: ({ tenant }) => attemptGrant(context, plan, tenant),
      onEnd: (outcome, done, due) =>
        observe({ type: 'tenant', result: { ...toResult(outcome), names: [], batch: 0 }, done, due }),
    },
  );
  const failures = outcomes.flatMap((outcome) =>
    outcome.kind === 'failed' ? [{ ...outcome, tenant: outcome.task.tenant }] : [],
  );
  const command = { command: 'grant application', direction: 'up', areStanding: true } as const;
  await recordFailures(database, context.run, command, failures);
  return outcomes.map(toResult);
}

function attemptGrant(
  context: RunContext,
  { role, isRevoked }: GrantPlan,
  { clerkOrgId, schema }: GrantTask['tenant'],
): Promise<Attempt<undefined>> {
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      const of = { role: literal(role), tenantSchema: literal(schema) };
      const given = isRevoked
        ? await transaction.client.query<{ statement: string }>(`${givenRights(of)} ORDER BY 1, 2`)
        : { rows: [{ statement: grantApplications(literal(schema)) }] };
      await transaction.commitWith(given.rows.map(({ statement }) => statement));
      return { kind: 'done', done: undefined };
    },
    (thrown) => {
      const error = toDatabaseError(thrown, { tenant: clerkOrgId });
      return error.sqlstate === '42501' ? mayNotGrant(role, [], error, clerkOrgId) : error;
    },
  );
}

function resultOf(
  plan: GrantPlan,
  tenants: readonly TenantGrant[],
  durationMs: number,
): GrantApplicationResult {
  const count = (...outcomes: TenantGrant['outcome'][]) =>
    tenants.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const totals = {
    selected: plan.total,
    upToDate: plan.total - plan.tenants.length,
    changed: count('granted', 'revoked'),
    failed: count('failed'),
    skipped: count('skipped'),
  };
  return { role: plan.role, totals, ...verbResults(tenants, durationMs) };
}

function endingOf({ totals, interrupted }: GrantApplicationResult): RunEnding {
  return { outcome: totals.failed > 0 ? 'failed' : interrupted ? 'interrupted' : 'done', totals };
}
