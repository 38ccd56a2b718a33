import type { Database } from '../../db/database.ts';
import { planFleet, refuseOwners } from '../fleet/plan-fleet.ts';
import { readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { checkCall } from '../options/check-call.ts';
import { NOTHING } from '../plan/plan.ts';
import { silent } from '../report/event.ts';
import { findCanaries } from '../rollout/prepare-rollout.ts';
import { createRunContext } from '../run/run-context.ts';
import { SCRIPTS_SINCE } from '../state/version.ts';
import { rehearse, type Rehearsal } from './rehearse.ts';
import { seedWork, type SeedTenantsOptions } from './seed-tenants.ts';

/**
 * What `seedTenants` would do: the seeds run once for each distinct list of them, on its first tenant, and are rolled
 * back.
 * @throws TenantctlError as seedTenants
 */
export async function rehearseSeeds(database: Database, given: SeedTenantsOptions): Promise<Rehearsal> {
  const options = checkCall(database, given, 'folder', 'seedFolder');
  const context = createRunContext(database, options);
  const work = await seedWork(database, { options, context, observe: options.observe ?? silent });
  await findCanaries(database, options.rollout?.canary, options);
  const fleet = await selectFleet(database, await readSelected(database, options));
  if (fleet.scope.stateVersion >= SCRIPTS_SINCE) await work.prepare?.();
  const planned = planFleet(fleet, (history, tenant) =>
    tenant === undefined ? NOTHING : work.decide(tenant, history),
  );
  const plan = await refuseOwners(database, planned, options);
  return rehearse(context, 'up', NOTHING, { ...plan, problems: [...plan.problems, ...fleet.notActive] });
}
