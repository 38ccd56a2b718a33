import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import { tenantState } from '../fleet/tenant-state.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { readTenantFolder } from '../plan/plan-folder.ts';
import { silent } from '../report/event.ts';
import { createRunContext } from '../run/run-context.ts';
import { compareShapes, type ShapeDifference } from '../shape/compare-shapes.ts';
import { readShapeOf } from '../shape/read-shapes.ts';
import { renderShape } from '../shape/render-shape.ts';
import { assertReadable } from './assert-readable.ts';
import type { Lead } from './cohort.ts';
import { findLeads, readTenantSchemas } from './find-leads.ts';
import { MIGRATIONS, openReferences, type DriftOptions } from './find-drift.ts';
import { unifiedDiff } from './unified-diff.ts';

export interface TenantDrift {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** `migrations`, or the organization id of a tenant. */
  readonly reference: string;
  readonly digest: string;
  readonly differences: readonly ShapeDifference[];
  readonly leads: readonly Lead[];
  /** From the reference to the tenant, in the unified format; empty if they are alike. */
  readonly diff: string;
}

/**
 * How one tenant differs from the reference at its own version.
 * @param name organization id or schema
 * @throws TenantctlError TENANT_UNKNOWN, SCHEMA_MISSING, REFERENCE_FAILED, RIGHTS_MISSING; TENANT_BEHIND if there is no
 *   reference at its version
 */
export async function showDrift(
  database: Database,
  name: string,
  given: Omit<DriftOptions, 'tenants' | 'include'>,
): Promise<TenantDrift> {
  checkOptions({ name }, 'name');
  const options = checkCall(database, given, 'tenantFolder');
  const { reference: named = MIGRATIONS, observe = silent } = options;
  const context = createRunContext(database, options);
  const { folder } = await readTenantFolder({ ...options, folder: options.tenantFolder });
  const state = await tenantState(database, name, options);
  const { tenant } = state;
  const { clerkOrgId, schema } = tenant;
  if (!tenant.hasSchema) throw schemaMissing(tenant);
  await assertReadable(database, [schema]);
  const reference = await (await openReferences({ context, folder, observe }, named)).of(state);
  if ('reason' in reference)
    throw new TenantctlError('TENANT_BEHIND', `"${clerkOrgId}" was not compared: ${reference.reason}.`, {
      tenant: clerkOrgId,
      hint: 'Bring it up to date with tenantctl migrate tenants, or compare it with a tenant of its version: --reference <org>.',
    });
  const shape = await readShapeOf(database, schema);
  if (shape === undefined) throw schemaMissing(tenant);
  const labels = [named === MIGRATIONS ? 'what the migrations make' : named, `${clerkOrgId} (${schema})`];
  const [from, to] = [reference.shape, shape].map(renderShape);
  return {
    clerkOrgId,
    schema,
    reference: named,
    digest: shape.digest,
    differences: compareShapes(reference.shape, shape),
    leads: findLeads(shape, await readTenantSchemas(database), database.names),
    diff: unifiedDiff({ name: labels[0] ?? '', text: from ?? '' }, { name: labels[1] ?? '', text: to ?? '' }),
  };
}
