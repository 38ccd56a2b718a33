import { identifier, literal, readable } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { insertTenant, registrySql, writtenStatus } from '../registry/registry-sql.ts';
import { failed, ok, skipAll, warning, type Check, type CheckId } from './check.ts';
import type { FleetFacts } from './fleet-facts.ts';
import { inEachTenant, HANDLED, leftOver, leftOverComment, provisionCommand } from './remedy.ts';
import { lacksSchema } from '../fleet/class-of.ts';
import { counted, listed } from '../../wording.ts';

export const TENANTS: readonly CheckId[] = [
  'tenant-rights',
  'orphan-schemas',
  'missing-schemas',
  'unfinished-tenants',
  'renamed-tenants',
];

/**
 * The checks of the registry's rows against the schemas. Pure.
 * @param owned the check of the rights on tenants, if these have roles of their own
 */
export function tenantChecks(fleet: FleetFacts | undefined, role: string, owned?: Check): Check[] {
  if (fleet === undefined) return skipAll(TENANTS, 'there is no registry to go by');
  return [
    owned ?? rightsCheck(fleet, role),
    orphanCheck(fleet),
    missingCheck(fleet),
    unfinishedCheck(fleet),
    renamedCheck(fleet),
  ];
}

function rightsCheck({ names, foreign, tenants }: FleetFacts, role: string): Check {
  if (foreign.length === 0) {
    return ok(
      'tenant-rights',
      `${role} may alter ${tenants.length === 0 ? 'what it creates' : 'every tenant schema'}`,
    );
  }
  const schemas = foreign.map(({ schema }) => schema);
  const owners = [...new Set(foreign.map(({ owner }) => owner))];
  const detail = `${role} does not own all of ${listed(schemas)}, which belongs to ${listed(owners)}`;
  const remedy = `${takeOver(names, role)} -- as a superuser`;
  return foreign.every(({ isUsable }) => isUsable)
    ? warning('tenant-rights', `${detail}: migrations cannot alter those tables`, remedy)
    : failed('tenant-rights', `${detail}, and may not migrate there`, remedy, 'DATABASE_ERROR');
}

/** Makes the role the owner of every tenant schema and its relations. Sequences of columns follow their table. */
function takeOver(names: Names, role: string): string {
  const { table, schema } = registrySql(names, readable);
  return inEachTenant(`SELECT format('ALTER SCHEMA %I OWNER TO %I', n.nspname, ${literal(role)})
    FROM ${table} t JOIN pg_namespace n ON n.nspname = t.${schema}::name
    UNION ALL
    SELECT format('ALTER TABLE %I.%I OWNER TO %I', n.nspname, c.relname, ${literal(role)})
    FROM ${table} t JOIN pg_namespace n ON n.nspname = t.${schema}::name
    JOIN pg_class c ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') OR c.relkind = 'S' AND NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype IN ('a', 'i'))`);
}

function orphanCheck({ names, orphans }: FleetFacts): Check {
  const [first] = orphans;
  if (first === undefined)
    return ok('orphan-schemas', `none: every schema ${names.schemaPrefix}… has its row`);
  const drops = orphans.slice(0, HANDLED).map((schema) => identifier(schema));
  return failed(
    'orphan-schemas',
    `${counted(orphans.length, 'schema')} without a row in the registry: ${listed(orphans)}`,
    `To keep what one holds, register it under its organization id: ${insertTenant(names, '<organization id>', first)} and then: tenantctl tenant provision '<organization id>'. ` +
      `Where nobody needs what they hold: DROP SCHEMA ${drops.join(', ')} CASCADE;${leftOver(orphans.length)}`,
    'SCHEMA_UNREGISTERED',
  );
}

function missingCheck({ names, tenants }: FleetFacts): Check {
  const missing = tenants.filter((tenant) => lacksSchema({ ...tenant, namesSchema: tenant.schema !== '' }));
  if (missing.length === 0) return ok('missing-schemas', 'none: every ACTIVE tenant has its schema');
  const handled = missing.slice(0, HANDLED);
  const setTo = (word: 'FAILED' | 'ARCHIVED') =>
    `UPDATE ${table} SET ${status} = ${writtenStatus(names, word)} ${where}`;
  const { table, organization, status } = registrySql(names, readable);
  const where = `WHERE ${organization} IN (${handled.map(({ clerkOrgId }) => literal(clerkOrgId)).join(', ')})`;
  return failed(
    'missing-schemas',
    `${counted(missing.length, 'tenant')} without a schema: ${listed(missing.map(({ clerkOrgId, schema }) => `${clerkOrgId} (${schema})`))}`,
    `Restore the schema from a backup. To begin anew, empty: ${setTo('FAILED')}; and then: ${provisionCommand(handled.map(({ clerkOrgId }) => clerkOrgId))}. ` +
      `Where the tenant is gone for good: ${setTo('ARCHIVED')};${leftOver(missing.length)}`,
    'SCHEMA_MISSING',
  );
}

function unfinishedCheck({ tenants, memory }: FleetFacts): Check {
  const unfinished = tenants.filter(({ status }) => status === 'PROVISIONING' || status === 'FAILED');
  if (unfinished.length === 0) return ok('unfinished-tenants', 'none is PROVISIONING or FAILED');
  const described = unfinished.map(({ clerkOrgId, schema, status }) => {
    const failure = memory.failures.get(schema);
    return `${clerkOrgId} (${status}${failure === undefined ? '' : `: ${failure.error.message}`})`;
  });
  return warning(
    'unfinished-tenants',
    listed(described),
    `${provisionCommand(unfinished.map(({ clerkOrgId }) => clerkOrgId))}${unfinished.length > HANDLED ? ` # then run tenantctl doctor again: ${unfinished.length - HANDLED} are left` : ''}`,
  );
}

/** Tenants of which both names have changed at once: tenantctl does not guess whether they are the same. */
function renamedCheck({ tenants, memory }: FleetFacts): Check {
  const renamed = tenants.flatMap((tenant) => {
    const former = memory.ambiguous.get(tenant.schema);
    return former === undefined ? [] : [{ ...tenant, former }];
  });
  if (renamed.length === 0) return ok('renamed-tenants', 'none of which both names have changed at once');
  const remedies = renamed
    .slice(0, HANDLED)
    .flatMap(({ clerkOrgId, schema, former }) => [
      `-- If ${clerkOrgId} is the tenant that was ${former.clerkOrgId}:`,
      `UPDATE tenantctl.tenants SET clerk_org_id = ${literal(clerkOrgId)}, schema_name = ${literal(schema)} WHERE id = ${former.id};`,
      '-- If it is another:',
      `UPDATE tenantctl.tenants SET schema_oid = NULL WHERE id = ${former.id};`,
    ]);
  return failed(
    'renamed-tenants',
    listed(
      renamed.map(
        ({ clerkOrgId, schema, former }) =>
          `${clerkOrgId} (${schema}), perhaps ${former.clerkOrgId} (${former.schema}) before`,
      ),
    ),
    `${remedies.join('\n')}${leftOverComment(renamed.length)}`,
    'TENANT_AMBIGUOUS',
  );
}
