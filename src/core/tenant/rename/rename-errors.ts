import type { TenantNames } from '../../../names.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { TenantctlError } from '../../../errors.ts';
import { listed } from '../../../wording.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import {
  misspelt,
  refusedSchema,
  taken,
  tenantExists,
  unheldId,
} from '../../registry/registration-errors.ts';
import type { RenameFacts } from '../../registry/rename-row.ts';
import { RENAMABLE } from '../../registry/transitions.ts';
import { tenantAmbiguous } from '../../state/tenant-ids.ts';
import type { StaleObject } from './rename-schema.ts';

/** Why a tenant cannot be renamed; undefined if it can. Pure. */
export function refusalOfRename(
  facts: RenameFacts,
  from: TenantNames,
  to: TenantNames,
): TenantctlError | undefined {
  const { status, owner, written, schemaOfNew, sharedWith, isTaken, isKnown } = facts;
  const tenant = from.clerkOrgId;
  if (written !== to.clerkOrgId) return misspelt(to.clerkOrgId, written, `Rename to "${written}".`, tenant);
  if (schemaOfNew !== null) return tenantExists(to.clerkOrgId, schemaOfNew, CHOOSE, tenant);
  if (!RENAMABLE.some((word) => word === status)) return tenantNotActive(from, status);
  if (sharedWith !== null) return taken(tenant, sharedWith.schema, sharedWith.clerkOrgId);
  const refused = refusedSchema(from);
  if (refused !== undefined) return refused;
  if (!isKnown) return tenantAmbiguous(from);
  if (from.schema === to.schema) return undefined;
  if (owner === null)
    return new TenantctlError('SCHEMA_MISSING', `The schema ${from.schema} of "${tenant}" does not exist.`, {
      tenant,
      hint: 'Without --with-schema, the organization id alone is changed.',
    });
  if (!isTaken) return undefined;
  return new TenantctlError('SCHEMA_NAME_TAKEN', `There is a schema ${to.schema} already.`, {
    tenant,
    hint: `It belongs to no tenant, and may hold data. Without --with-schema, ${from.schema} keeps its name.`,
  });
}

const CHOOSE = 'Choose another id, or drop that tenant first.';

/** What names the schema in a text that PostgreSQL does not rewrite. @param message ends before what names it */
export function schemaStillNamed(
  tenant: string,
  stale: readonly StaleObject[],
  { message, hint }: { readonly message: string; readonly hint: string },
): TenantctlError {
  const named = stale.map(({ kind, name }) => `${kind} ${name}`);
  return new TenantctlError('SCHEMA_STILL_NAMED', `${message} ${listed(named)}. Nothing was changed.`, {
    tenant,
    details: named.length > 5 ? named : [],
    hint,
  });
}

/** The error of a rename, for its tenant. */
export function renameRefused(
  thrown: unknown,
  { from, to }: { readonly from: TenantNames; readonly to: TenantNames },
): TenantctlError {
  const error = toDatabaseError(thrown, { tenant: from.clerkOrgId });
  // A row of the new organization was inserted meanwhile.
  if (error.sqlstate === '23505') return tenantExists(to.clerkOrgId, '', CHOOSE, from.clerkOrgId);
  const unheld = unheldId(to.clerkOrgId, error, from.clerkOrgId);
  if (unheld.code === 'ORGANIZATION_ID_INVALID') return unheld;
  if (error.sqlstate === '42710')
    return error.with({
      hint: 'TENANT_ROLE names the role after the schema. If nobody uses the one that has this name, drop it. Without --with-schema, both keep their names.',
    });
  if (error.sqlstate === '23503')
    return error.with({
      hint: 'A table refers to the organization id in the registry. Give its foreign key ON UPDATE CASCADE, in a master migration.',
    });
  return error;
}
