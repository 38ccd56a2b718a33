import { judge, judgeAttempt, refused, skipAll, type Check } from './check.ts';
import { citusChecks } from './citus-check.ts';
import { connectionChecks } from './connection.ts';
import { EDITS } from './edited-files.ts';
import { environmentChecks } from './environment-checks.ts';
import type { Contents, Facts } from './facts.ts';
import { folderChecks } from './folders.ts';
import { hooksChecks } from './hooks-check.ts';
import { KNEX } from './knex-checks.ts';
import { KNEX_VERSION } from './knex-version.ts';
import { KNEXFILE } from './knexfile.ts';
import { REGISTRY } from './registry-checks.ts';
import { RIGHTS } from './rights.ts';
import { TENANTS } from './tenant-checks.ts';
import { ROLES } from './tenant-roles.ts';
import { VECTOR } from './vector-check.ts';

const IN_REGISTRY = { ...REGISTRY, ...TENANTS, ...KNEX };

export function decide(facts: Facts): Check[] {
  const { options, folders, knexfile, knexVersion, connection, contents, now } = facts;
  const registry = contents?.registry.facts;
  const keptElsewhere = registry?.shape !== undefined && registry.masterHistory.entries.length === 0;
  return [
    ...environmentChecks(options.nodeVersion, options.environment),
    ...folderChecks(folders, keptElsewhere),
    ...hooksChecks(facts.hooks),
    ...(folders === undefined
      ? skipAll({ ...KNEXFILE, ...KNEX_VERSION }, 'the configuration cannot be read')
      : [...judge(KNEXFILE, knexfile), ...judge(KNEX_VERSION, knexVersion)]),
    ...connectionChecks(connection, { concurrency: options.concurrency, now }),
    ...(contents === undefined
      ? skipAll({ ...RIGHTS, ...ROLES, ...VECTOR, ...IN_REGISTRY, ...EDITS }, 'there is no connection')
      : contentChecks(facts, contents)),
  ];
}

function contentChecks({ options, folders }: Facts, contents: Contents): Check[] {
  const mode = options.vectorExtension ?? 'auto';
  const neededBy = folders?.tenants.needsVector ?? folders?.master.needsVector;
  return [
    ...citusChecks(contents.citus),
    ...judgeAttempt(RIGHTS, contents.rights, {}),
    ...judge(ROLES, contents.tenantRole),
    ...judgeAttempt(VECTOR, contents.vector, { mode, neededBy }),
    ...registryChecks(contents, folders),
    ...(contents.registry.error === undefined
      ? judgeAttempt(EDITS, contents.edits, {})
      : skipAll(EDITS, 'could not be read: see above')),
  ];
}

function registryChecks({ rights, registry, tenantRole }: Contents, folders: Facts['folders']): Check[] {
  const { facts, error } = registry;
  if (error !== undefined) {
    // 42501: insufficient_privilege. The rights check has the remedy.
    const lacks = rights.facts?.lacksStateSchema === true || (rights.facts?.lacking.length ?? 0) > 0;
    return error.sqlstate === '42501' && lacks
      ? skipAll(IN_REGISTRY, 'the rights on tables come first')
      : skipAll(IN_REGISTRY, 'could not be read: see above', refused(error));
  }
  const view = { ...facts, master: folders?.master.facts, tenantFolder: folders?.tenants.facts };
  return [
    ...judge(REGISTRY, view),
    ...(facts.fleet === undefined
      ? skipAll(TENANTS, 'there is no registry')
      : judge(TENANTS, { ...view, ...facts.fleet, owners: tenantRole })),
    ...judge(KNEX, view),
  ];
}
