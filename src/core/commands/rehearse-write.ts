import type { Database } from '../../db/database.ts';
import { planFleet, refuseOwners } from '../fleet/plan-fleet.ts';
import { readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { findWritten, readWritten } from '../ledger/written-runs.ts';
import { checkCall } from '../options/check-call.ts';
import { NOTHING } from '../plan/plan.ts';
import { findCanaries } from '../rollout/prepare-rollout.ts';
import { createRunContext } from '../run/run-context.ts';
import { rehearse, type Rehearsal } from './rehearse.ts';
import { withLoaded } from './serve-data-change.ts';
import { planOf, sqlScript } from './sql-script.ts';
import type { WriteTenantsOptions } from './write-tenants.ts';

/**
 * What `writeTenants` would do: the SQL is run in the first tenant, and rolled back.
 * @throws TenantctlError as writeTenants
 */
export async function rehearseWrite(database: Database, given: WriteTenantsOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'sql');
  const { migration } = await sqlScript(options);
  await findCanaries(database, options.rollout?.canary, options);
  const written =
    options.resume === undefined
      ? new Set<string>()
      : await readWritten(database, await findWritten(database, options.resume));
  const due = planOf(migration);
  const fleet = await selectFleet(database, await readSelected(database, options));
  const planned = planFleet(fleet, (_history, tenant) => (written.has(tenant?.schema ?? '') ? NOTHING : due));
  const plan = await refuseOwners(database, planned, options);
  const problems = [...plan.problems, ...fleet.notActive];
  const context = withLoaded(createRunContext(database, options), [migration]);
  return rehearse(context, 'up', NOTHING, { ...plan, problems });
}
