import type { Database } from '../../db/database.ts';
import { counted, listed, shellWord } from '../../wording.ts';
import { missingRegistryRights, missingRights } from '../roles/application-rights.ts';
import { ok, skipped, warning, type Verdict } from './check.ts';

/** A role of an application that is remembered, and what it lacks. */
export interface ApplicationRole {
  readonly role: string;
  readonly exists: boolean;
  readonly lacksRegistry: boolean;
  /** Schemas of ACTIVE tenants where it lacks something. */
  readonly schemas: readonly string[];
}

/** One query for all roles and tenants. @param schemas of ACTIVE tenants */
export async function readApplicationRoles(
  database: Database,
  schemas: readonly string[],
): Promise<ApplicationRole[]> {
  const { names } = database;
  const { rows: present } = await database.query(
    `SELECT FROM pg_class c WHERE c.oid = to_regclass('tenantctl.application_roles')`,
  );
  if (present.length === 0) return [];
  const missing = missingRights(names, { role: 'a.role_name', tenantSchema: 'x.schema' });
  const { rows } = await database.query<ApplicationRole & { readonly [column: string]: unknown }>(
    `SELECT a.role_name AS role, EXISTS (SELECT FROM pg_roles r WHERE r.rolname = a.role_name) AS exists,
            EXISTS (${missingRegistryRights(names, 'a.role_name')}) AS "lacksRegistry",
            ARRAY(SELECT x.schema FROM unnest($1::text[]) AS x (schema) WHERE EXISTS (${missing}) ORDER BY 1) AS schemas
     FROM tenantctl.application_roles a ORDER BY 1`,
    [schemas],
  );
  return rows;
}

/** Whether the remembered roles have what `grant application` gives. Pure. */
export function applicationRoles({
  applications,
}: {
  readonly applications: readonly ApplicationRole[];
}): Verdict {
  if (applications.length === 0) return skipped('no role is remembered: tenantctl grant application <role>');
  const lacking = applications.filter((one) => !one.exists || one.lacksRegistry || one.schemas.length > 0);
  if (lacking.length === 0)
    return ok(`${listed(applications.map(({ role }) => role))} may use the registry and every ACTIVE tenant`);
  const details = lacking.map(({ role, exists, lacksRegistry, schemas }) => {
    if (!exists) return `${role} does not exist any more`;
    const where = [
      ...(lacksRegistry ? ['the registry'] : []),
      ...(schemas.length === 0 ? [] : [`${counted(schemas.length, 'tenant')} (${listed(schemas)})`]),
    ];
    return `${role} lacks rights on ${where.join(' and ')}`;
  });
  const commands = lacking.map(
    ({ role, exists }) => `tenantctl grant application ${shellWord(role)}${exists ? '' : ' --revoke'}`,
  );
  return warning(details.join('; '), commands.join(' && '));
}
