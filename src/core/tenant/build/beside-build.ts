import { literal } from '../../../db/sql.ts';
import { tenantId } from '../../state/tenant-ids.ts';
import type { Build } from './build-tenant.ts';

/**
 * A schema that is no tenant's: it has no row in the registry. tenantctl knows it while it is there, so that it can
 * remember what is done to it, and whose it is if it is left behind.
 */
export function besideBuild(build: Build): Build {
  const { opening: _, statuses: __, ...rest } = build;
  const known = `INSERT INTO tenantctl.tenants (schema_name) SELECT ${literal(build.schema)} WHERE ${tenantId(build.schema)} IS NULL`;
  const details = { ...build.details, clerkOrgId: build.clerkOrgId };
  return { ...rest, details, preparing: [known] };
}
