import type { Database } from '../../db/database.ts';
import { readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { findWritten, readWritten } from '../ledger/written-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { NOTHING } from '../plan/plan.ts';
import { silent } from '../report/event.ts';
import { findCanaries } from '../rollout/prepare-rollout.ts';
import { createRunContext, type RunContext } from '../run/run-context.ts';
import { SCRIPTS_SINCE } from '../state/version.ts';
import { rehearse, type Rehearsal } from './rehearse.ts';
import { seedWork, type SeedTenantsOptions } from './seed-tenants.ts';
import {
  planDataChange,
  withLoaded,
  type DataChangeOptions,
  type DataChangeWork,
} from './serve-data-change.ts';
import { planOf, recordedSql, sqlScript } from './sql-script.ts';
import type { WriteTenantsOptions } from './write-tenants.ts';

/**
 * What `seedTenants` would do: the seeds run once for each distinct list of them, on its first tenant, and are rolled
 * back.
 * @throws TenantctlError as seedTenants
 */
export async function rehearseSeeds(database: Database, given: SeedTenantsOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder', 'seedFolder');
  const context = createRunContext(database, options);
  const work = await seedWork(database, { options, context, observe: options.observe ?? silent });
  return rehearseDataChange(context, options, work);
}

/**
 * What `writeTenants` would do: the SQL is run in the first tenant, and rolled back.
 * @throws TenantctlError as writeTenants
 */
export async function rehearseWrite(database: Database, given: WriteTenantsOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'sql');
  const { migration } = await sqlScript(options);
  const { sqlDigest } = recordedSql(database, options);
  const resumed =
    options.resume === undefined ? undefined : await findWritten(database, options.resume, sqlDigest);
  const written = resumed && (await readWritten(database, resumed));
  const due = planOf(migration);
  return rehearseDataChange(withLoaded(createRunContext(database, options), [migration]), options, {
    decide: ({ schema }) => (written?.has(schema) === true ? NOTHING : due),
  });
}

async function rehearseDataChange(
  context: RunContext,
  options: DataChangeOptions,
  { prepare, decide }: Pick<DataChangeWork, 'prepare' | 'decide'>,
): Promise<Rehearsal> {
  const { database } = context;
  await findCanaries(database, options.rollout?.canary, options);
  const fleet = await selectFleet(database, await readSelected(database, options));
  if (fleet.scope.stateVersion >= SCRIPTS_SINCE) await prepare?.();
  const plan = await planDataChange(database, fleet, decide, options);
  return rehearse(context, 'up', NOTHING, { ...plan, problems: [...plan.problems, ...fleet.notActive] });
}
