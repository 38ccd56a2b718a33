import type { Names } from '../../names.ts';
import { BY_INDEX, routine, type Routine } from '../state/routine.ts';
import { missingRights } from './application-rights.ts';

/** The roles of applications: provisioning gives them their rights in each new schema. */
export const APPLICATION_ROLES: readonly string[] = [
  `CREATE TABLE tenantctl.application_roles (
     role_name text PRIMARY KEY,
     granted_at timestamptz NOT NULL DEFAULT now())`,
  `COMMENT ON TABLE tenantctl.application_roles IS
     'The roles that tenantctl grant application was called for: they get their rights in the schema of each new tenant.'`,
];

/** Gives the remembered roles, as far as they still exist, the rights that they lack in a tenant's schema. */
export function applicationRoutines(names: Names): Routine[] {
  const missing = missingRights(names, { role: 'application', tenantSchema: 'tenant_schema' });
  return [
    routine(
      'grant_applications(tenant_schema text)',
      `DECLARE
       application text;
       wanted record;
     BEGIN
       FOR application IN SELECT a.role_name FROM tenantctl.application_roles a ORDER BY 1 LOOP
         -- Sorted, and so complete, before the first one is executed.
         FOR wanted IN SELECT x.statement, x.owner FROM (${missing}) x ORDER BY x.place, x.statement LOOP
           EXECUTE wanted.statement;
         END LOOP;
         -- A GRANT without the right to grant is a warning only.
         SELECT x.statement, x.owner INTO wanted FROM (${missing}) x ORDER BY x.place, x.statement LIMIT 1;
         IF FOUND THEN
           RAISE insufficient_privilege;
         END IF;
       END LOOP;
     EXCEPTION WHEN insufficient_privilege THEN
       RAISE EXCEPTION '% may not grant what belongs to %: %', quote_ident(current_user), quote_ident(wanted.owner), wanted.statement
         USING ERRCODE = 'insufficient_privilege';
     END`,
      'Gives the roles of applications the rights that they lack in the schema of a tenant.',
      BY_INDEX,
    ),
  ];
}

/** SQL that gives the remembered roles their rights in a new tenant's schema. @param tenantSchema in SQL */
export function grantApplications(tenantSchema: string): string {
  return `CALL tenantctl.grant_applications(${tenantSchema}::text)`;
}
