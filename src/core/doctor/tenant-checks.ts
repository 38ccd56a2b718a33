import { identifier, literal, readable } from '../../db/sql.ts';
import { adoptCommand, provisionCommand, tenantCommand } from '../registry/not-active.ts';
import { refusedSchema } from '../registry/registration-errors.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { failed, ok, warning, type CheckTable, type Verdict } from './check.ts';
import { takeOver } from './ownership.ts';
import type { TenantView } from './registry-facts.ts';
import { HANDLED, leftOver } from './remedy.ts';
import { tenantHistories } from './history-checks.ts';
import { applicationRoles } from './application-role.ts';
import { actsAsOwners } from './tenant-roles.ts';
import { lacksSchema } from '../fleet/class-of.ts';
import { commandToEnd } from '../state/unfinished-verb.ts';
import { isSwapped } from '../state/tenant-ids.ts';
import { counted, listed } from '../../wording.ts';

export const TENANTS: CheckTable<TenantView> = {
  'tenant-histories': ['Tenant histories', tenantHistories],
  'tenant-rights': [
    'Rights on tenants',
    (view) =>
      view.owners === undefined ? tenantRights(view) : actsAsOwners(view.owners, view.names, view.tenants),
  ],
  'orphan-schemas': ['Schemas without a row', orphanSchemas],
  'refused-schemas': ['Schemas of rows', refusedSchemas],
  'missing-schemas': ['Rows without a schema', missingSchemas],
  'unfinished-tenants': ['Unfinished tenants', unfinishedTenants],
  'unfinished-verbs': ['Unfinished verbs', unfinishedVerbs],
  'renamed-tenants': ['Renamed tenants', renamedTenants],
  'swapped-tenants': ['Swapped tenants', swappedTenants],
  'application-role': ["The application's role", applicationRoles],
};

function tenantRights({ names, foreign, tenants, role }: TenantView): Verdict {
  if (foreign.length === 0)
    return ok(`${role} may alter ${tenants.length === 0 ? 'what it creates' : 'every tenant schema'}`);
  const schemas = foreign.map(({ schema }) => schema);
  const owners = new Set(foreign.map(({ owner }) => owner));
  const detail = `${role} does not own all of ${listed(schemas)}, which belongs to ${listed([...owners])}`;
  const remedy = `${takeOver(names, role)} -- as a superuser`;
  return foreign.every(({ isUsable }) => isUsable)
    ? warning(`${detail}: migrations cannot alter those tables`, remedy)
    : failed(`${detail}, and may not migrate there`, remedy, 'DATABASE_ERROR');
}

function orphanSchemas({ names, tenants, tenantSchemas }: TenantView): Verdict {
  const registered = new Set(tenants.map(({ schema }) => schema));
  const orphans = tenantSchemas.filter((schema) => !registered.has(schema));
  const [first] = orphans;
  if (first === undefined) return ok(`none: every schema ${names.schemaPrefix}... has its row`);
  const drops = orphans.slice(0, HANDLED).map((schema) => identifier(schema));
  return failed(
    `${counted(orphans.length, 'schema')} without a row in the registry: ${listed(orphans)}`,
    `To keep one, register it under its organization id: ${adoptCommand(first, '<organization id>')}. tenantctl tenant adopt lists them. ` +
      `If nobody needs their contents: DROP SCHEMA ${drops.join(', ')} CASCADE;${leftOver(orphans.length)}`,
    'SCHEMA_UNREGISTERED',
  );
}

/** Rows whose schema cannot be a tenant's own, whatever their status: public, PostgreSQL's, another row's. */
function refusedSchemas({ names, tenants }: TenantView): Verdict {
  const refused = tenants.filter((tenant) => refusedSchema(tenant) !== undefined);
  if (refused.length === 0) return ok('each row names a schema that can be its own');
  const { table, organization, schema } = registrySql(names, readable);
  return failed(
    `${counted(refused.length, 'row')} with a schema that is not a tenant's, or another row's: ${listed(refused.map((tenant) => `${tenant.clerkOrgId} (${tenant.schema})`))}`,
    `Correct each row, or delete it: UPDATE ${table} SET ${schema} = '<its own schema>' WHERE ${organization} = '<organization id>';`,
    'SCHEMA_NAME_TAKEN',
  );
}

function missingSchemas({ tenants }: TenantView): Verdict {
  const missing = tenants.filter((tenant) => lacksSchema(tenant) && refusedSchema(tenant) === undefined);
  if (missing.length === 0) return ok('none: every ACTIVE tenant has its schema');
  const ids = missing.slice(0, HANDLED).map(({ clerkOrgId }) => clerkOrgId);
  return failed(
    `${counted(missing.length, 'tenant')} without a schema: ${listed(missing.map(({ clerkOrgId, schema }) => `${clerkOrgId} (${schema})`))}`,
    `Restore the schema from a backup. To start again with empty ones: ${tenantCommand('drop', ids)} and then: ${provisionCommand(ids)}. ` +
      `To keep the rows without schemas: ${tenantCommand('suspend', ids)}${leftOver(missing.length, '#')}`,
    'SCHEMA_MISSING',
  );
}

function unfinishedTenants({ tenants, memory }: TenantView): Verdict {
  // A verb that has not ended gives a tenant this status, too: unfinishedVerbs names those.
  const unfinished = tenants.filter(
    ({ status, schema }) => (status === 'PROVISIONING' || status === 'FAILED') && !memory.verbs.has(schema),
  );
  if (unfinished.length === 0) return ok('none is PROVISIONING or FAILED');
  const described = unfinished.map(({ clerkOrgId, schema, status }) => {
    const failure = memory.failures.get(schema);
    return `${clerkOrgId} (${status}${failure === undefined ? '' : `: ${failure.error.message}`})`;
  });
  const command = provisionCommand(unfinished.slice(0, HANDLED).map(({ clerkOrgId }) => clerkOrgId));
  return warning(listed(described), `${command}${leftOver(unfinished.length, '#')}`);
}

function unfinishedVerbs({ memory }: TenantView): Verdict {
  const intents = [...memory.verbs.values()];
  if (intents.length === 0) return ok('none');
  const begun = intents.map(({ verb, clerkOrgId }) => `${verb} of ${clerkOrgId}`);
  const commands = intents.slice(0, HANDLED).map(commandToEnd);
  return failed(
    `begun and not ended: ${listed(begun)}`,
    `${commands.join('\n')}${leftOver(intents.length, '#')}`,
    'TENANT_UNFINISHED',
  );
}

/** Tenants whose two names changed at once: tenantctl does not guess whether they are the same. */
function renamedTenants({ tenants, memory }: TenantView): Verdict {
  const renamed = ambiguous(tenants, memory).filter((tenant) => !isSwapped(tenant, tenant.former));
  if (renamed.length === 0) return ok('no tenant has changed both names at once');
  const remedies = renamed
    .slice(0, HANDLED)
    .flatMap(({ clerkOrgId, schema, former }) => [
      `-- If ${clerkOrgId} is the tenant that was ${former.clerkOrgId}:`,
      `UPDATE tenantctl.tenants SET clerk_org_id = ${literal(clerkOrgId)}, schema_name = ${literal(schema)} WHERE id = ${former.id};`,
      '-- If it is another:',
      `UPDATE tenantctl.tenants SET schema_oid = NULL WHERE id = ${former.id};`,
    ]);
  const pairs = renamed.map(
    ({ clerkOrgId, schema, former }) =>
      `${clerkOrgId} (${schema}), perhaps ${former.clerkOrgId} (${former.schema}) before`,
  );
  return failed(listed(pairs), `${remedies.join('\n')}${leftOver(renamed.length, '--')}`, 'TENANT_AMBIGUOUS');
}

function ambiguous(tenants: TenantView['tenants'], memory: TenantView['memory']) {
  return tenants.flatMap(({ clerkOrgId, schema }) => {
    const former = memory.ambiguous.get(schema);
    return former === undefined ? [] : [{ clerkOrgId, schema, former }];
  });
}

/** Tenants that have each other's schema, as far as tenantctl knows them. A cycle is not cut at HANDLED. */
function swappedTenants({ names, tenants, memory }: TenantView): Verdict {
  const swapped = ambiguous(tenants, memory).filter((tenant) => isSwapped(tenant, tenant.former));
  if (swapped.length === 0) return ok('no tenant has the schema of another');
  const { table, organization, schema } = registrySql(names, readable);
  const involved = new Set(swapped.flatMap(({ clerkOrgId, former }) => [clerkOrgId, former.clerkOrgId]));
  const give = (id: string, of: string) =>
    `UPDATE ${table} SET ${schema} = ${literal(of)} WHERE ${organization} = ${literal(id)};`;
  const remedies = [
    '-- If the rows were swapped by mistake:',
    'BEGIN;',
    // A unique index is checked row by row: make room first.
    `UPDATE ${table} SET ${schema} = '~' || md5(${organization}::text) WHERE ${organization} IN (${[...involved].map(literal).join(', ')});`,
    ...swapped.map(({ former }) => give(former.clerkOrgId, former.schema)),
    'COMMIT;',
    '-- If each organization is to have the schema that it has now:',
    ...swapped.map(
      ({ clerkOrgId, former }) =>
        `UPDATE tenantctl.tenants SET clerk_org_id = ${literal(clerkOrgId)} WHERE id = ${former.id};`,
    ),
  ];
  const pairs = swapped.map(
    ({ clerkOrgId, schema, former }) => `${clerkOrgId} has ${schema}, the schema of ${former.clerkOrgId}`,
  );
  return failed(listed(pairs), remedies.join('\n'), 'TENANT_SWAPPED');
}
