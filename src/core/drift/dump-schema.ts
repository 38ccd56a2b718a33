import type { Database } from '../../db/database.ts';
import { schemaMissing } from '../fleet/plan-fleet.ts';
import { tenantState, type StateFolders } from '../fleet/tenant-state.ts';
import { checkCall } from '../options/check-call.ts';
import { readTenantFolder } from '../plan/plan-folder.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { silent, type Observer } from '../report/event.ts';
import { createRunContext } from '../run/run-context.ts';
import { readShapeOf } from '../shape/read-shapes.ts';
import { renderShape } from '../shape/render-shape.ts';
import { assertReadable } from './assert-readable.ts';
import { buildReference } from './build-reference.ts';

export interface DumpOptions extends StateFolders {
  /** The organization id or schema of the tenant to dump; what the migrations make if absent. */
  readonly tenant?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly observe?: Observer | undefined;
}

/** The first line of each dump. */
export const DUMP_HEADER = '-- The schema of a tenant, written by tenantctl schema dump. Do not edit it.';

/**
 * The canonical tenant as SQL: what the migrations make, built in a transaction that is rolled back; or a tenant as it
 * is. The text does not depend on the tenant's names.
 * @throws TenantctlError TENANT_UNKNOWN, SCHEMA_MISSING, RIGHTS_MISSING, REFERENCE_FAILED, MIGRATIONS_FOLDER_EMPTY
 */
export async function dumpSchema(database: Database, given: DumpOptions): Promise<string> {
  const options = checkCall(database, given, 'tenantFolder');
  await assertRegistry(database);
  return `${DUMP_HEADER}\n\n${renderShape(await readWanted(database, options))}`;
}

async function readWanted(database: Database, options: DumpOptions) {
  if (options.tenant === undefined) {
    const { folder } = await readTenantFolder({ ...options, folder: options.tenantFolder });
    const names = folder.files.map(({ name }) => name);
    const context = createRunContext(database, options);
    return buildReference({ context, folder, observe: options.observe ?? silent }, names);
  }
  const { tenant } = await tenantState(database, options.tenant, options);
  await assertReadable(database, [tenant.schema]);
  const shape = tenant.hasSchema ? await readShapeOf(database, tenant.schema) : undefined;
  if (shape === undefined) throw schemaMissing(tenant);
  return shape;
}
