import type { Database } from '../../../db/database.ts';
import { messageOf, toTenantctlError } from '../../../errors.ts';
import { behindFleet, readAhead, readNewerHistories } from '../../fleet/ahead.ts';
import { schemaMissing } from '../../fleet/plan-fleet.ts';
import { readStates, type TenantState } from '../../fleet/tenant-state.ts';
import type { MigrationFolder } from '../../files/source.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import type { Observer } from '../../report/event.ts';
import { STATE_VERSION } from '../../install/state-schema.ts';
import { tenantAmbiguous } from '../../state/tenant-ids.ts';
import { resultOf, type ProvisionResult } from './provision-result.ts';

/** Adds to the results where new tenants are behind the fleet, and how those stand that were ACTIVE already. */
export async function compareWithFleet(
  database: Database,
  folder: MigrationFolder,
  results: readonly ProvisionResult[],
  observe: Observer,
): Promise<ProvisionResult[]> {
  const known = results.filter(({ outcome }) => outcome === 'already-active');
  // A tenant is not called ACTIVE unseen: if the states cannot be read, it has failed.
  const states = known.length === 0 ? [] : await readStates(database, known, folder).catch(toTenantctlError);
  const bySchema = new Map(
    (Array.isArray(states) ? states : []).map((state) => [state.tenant.schema, state]),
  );
  const examined = results.map((result) => {
    if (result.outcome !== 'already-active') return result;
    if (Array.isArray(states)) return asFound(result, bySchema.get(result.schema));
    return resultOf(result, 'failed', { error: states });
  });
  const made = examined.filter(({ outcome }) => outcome === 'provisioned');
  const behind = made.length === 0 ? [] : await aheadOf(database, folder, observe);
  if (behind.length === 0) return examined;
  const ids = made.map(({ clerkOrgId }) => clerkOrgId);
  observe({ type: 'warning', message: behindFleet(ids, behind) });
  return examined.map((result) =>
    result.outcome === 'provisioned' ? { ...result, outcome: 'provisioned-behind', behind } : result,
  );
}

/** Pure. @param state undefined if its row is gone */
function asFound(result: ProvisionResult, state: TenantState | undefined): ProvisionResult {
  const { tenant, former, pending = [], lacks = [], attention } = state ?? {};
  if (tenant?.status !== 'ACTIVE')
    return resultOf(result, 'failed', { error: tenantNotActive(result, tenant?.status ?? null) });
  if (!tenant.hasSchema) return resultOf(result, 'failed', { error: schemaMissing(tenant) });
  if (former !== undefined) return resultOf(result, 'failed', { error: tenantAmbiguous(tenant, former) });
  const behind = [...pending, ...lacks];
  return { ...result, ...(behind.length > 0 && { behind }), ...(attention !== undefined && { attention }) };
}

async function aheadOf(database: Database, folder: MigrationFolder, observe: Observer): Promise<string[]> {
  try {
    const newer = await readNewerHistories(database, { stateVersion: STATE_VERSION }, folder);
    return await readAhead(database, newer, folder);
  } catch (error) {
    // The tenants were provisioned, whatever becomes of the connection.
    const message = `Whether new tenants are behind the fleet is not known: ${messageOf(error)}`;
    observe({ type: 'warning', message });
    return [];
  }
}
