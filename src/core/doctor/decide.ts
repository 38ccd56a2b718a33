import { skipAll, unknown, type Check, type CheckId } from './check.ts';
import { connectionChecks } from './connection.ts';
import type { Contents, Facts } from './facts.ts';
import { environmentChecks } from './environment-checks.ts';
import { folderChecks } from './folders.ts';
import { HISTORIES, historyChecks } from './history-checks.ts';
import { KNEX, knexChecks } from './knex-checks.ts';
import { LOCKS, lockChecks } from './lock-checks.ts';
import { REGISTRY, registryChecks } from './registry-checks.ts';
import { RIGHTS, rightsChecks, type Identity } from './rights.ts';
import { TENANTS, tenantChecks } from './tenant-checks.ts';
import { createRolesCheck, tenantRoleCheck } from './tenant-roles.ts';
import { vectorCheck } from './vector-check.ts';

const BEHIND_REGISTRY: readonly CheckId[] = [...REGISTRY, ...HISTORIES, ...TENANTS, ...LOCKS, ...KNEX];

/** Turns facts into checks, in order. Pure. */
export function decide(facts: Facts): Check[] {
  const { options, folders, connection, contents, now } = facts;
  const registry = contents?.registry.facts;
  const keptElsewhere = registry?.shape !== undefined && registry.masterHistory.entries.length === 0;
  return [
    ...environmentChecks(options.nodeVersion, options.environment),
    ...folderChecks(folders, keptElsewhere),
    ...connectionChecks(connection, options.concurrency, now),
    ...(contents === undefined
      ? skipAll([...RIGHTS, 'create-roles', 'vector-extension', ...BEHIND_REGISTRY], 'there is no connection')
      : contentChecks(facts, contents)),
  ];
}

function contentChecks(facts: Facts, contents: Contents): Check[] {
  const { options, folders } = facts;
  const identity = identityOf(facts);
  const { rights, vector } = contents;
  const neededBy = folders?.tenants.needsVector ?? folders?.master.needsVector;
  return [
    ...(rights.facts === undefined
      ? failedGroup(RIGHTS, rights.error)
      : rightsChecks(rights.facts, identity)),
    createRolesCheck(contents.tenantRole, options.tenantRole),
    vector.facts === undefined
      ? unknown('vector-extension', vector.error)
      : vectorCheck(vector.facts, options.vectorExtension ?? 'auto', neededBy),
    ...registryGroup(facts, contents, identity),
  ];
}

function registryGroup(
  facts: Facts,
  { registry, rights, tenantRole }: Contents,
  identity: Identity,
): Check[] {
  if (registry.facts === undefined) {
    // 42501: insufficient_privilege. The check of the rights has the remedy.
    const lacks = rights.facts?.lacksStateSchema === true || (rights.facts?.lacking.length ?? 0) > 0;
    const isRights = registry.error.sqlstate === '42501' && lacks;
    return isRights
      ? skipAll(BEHIND_REGISTRY, 'the rights on tables come first')
      : failedGroup(BEHIND_REGISTRY, registry.error);
  }
  const master = facts.folders?.master.folder;
  const tenants = facts.folders?.tenants.folder;
  return [
    ...registryChecks(registry.facts, master),
    ...historyChecks(registry.facts, master, tenants),
    ...tenantChecks(
      registry.facts.fleet,
      identity.role,
      tenantRole && tenantRoleCheck(tenantRole, facts.options.tenantRole ?? ''),
    ),
    ...lockChecks(registry.facts),
    ...knexChecks(registry.facts, master, tenants),
  ];
}

/** The first check has the error, the others are skipped because of it. */
function failedGroup(ids: readonly CheckId[], error: Parameters<typeof unknown>[1]): Check[] {
  const [first, ...others] = ids;
  if (first === undefined) return [];
  return [unknown(first, error), ...skipAll(others, 'could not be looked at: see above')];
}

function identityOf({ connection }: Facts): Identity {
  const server = connection.kind === 'open' ? connection.server.facts : undefined;
  const settings = connection.kind === 'not-configured' ? undefined : connection.settings;
  const named = settings?.kind === 'server' ? settings : undefined;
  return {
    role: server?.role ?? named?.user ?? 'postgres',
    database: server?.database ?? named?.database ?? 'postgres',
  };
}
