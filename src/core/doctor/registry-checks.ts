import { recordAsUndone } from '../target/write-history.ts';
import { HASH_LENGTH, registryName, STATUSES, type Names } from '../../names.ts';
import { literal, readable } from '../../db/sql.ts';
import { adoptionAdvice } from '../registry/adoption.ts';
import { isDefaultRegistry, missingColumns, problemOfRegistry } from '../registry/registry-shape.ts';
import { registrySql, writtenStatus } from '../registry/registry-sql.ts';
import { masterTarget } from '../target/target.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import { failed, ok, skipped, warning, type CheckTable, type Verdict } from './check.ts';
import { isInit } from '../files/scaffold.ts';
import { masterHistory } from './history-checks.ts';
import type { RegistryFacts, RegistryView } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

export const REGISTRY: CheckTable<RegistryView> = {
  registry: ['Registry', registry],
  'state-schema': ['Schema tenantctl', stateSchema],
  'master-history': ['Master history', masterHistory],
};

function registry(facts: RegistryView): Verdict {
  const { names, shape, notUnique } = facts;
  const name = registryName(names);
  if (shape === undefined) return absent(facts);
  const missing = missingColumns(shape, names);
  const problem = problemOfRegistry(shape, names);
  if (problem !== undefined && (missing.length === 0 || !isDefaultRegistry(names))) {
    const columns = listed([...shape.columns.keys()]);
    const add = shape.isTable ? missing.map((column) => addColumn(names, column)) : [];
    const remedy = [
      `Set REGISTRY_COLUMNS=organization=...,schema=...,status=... to columns that it has: ${columns}.`,
      ...(add.length > 0 ? ['Or add what is missing:', ...add] : []),
    ].join('\n');
    return failed(`${name} ${problem}`, remedy, 'REGISTRY_INVALID');
  }
  if (missing.length > 0) {
    const remedy = shape.isTable
      ? missing.map((column) => addColumn(names, column)).join('\n')
      : `${name} is not a plain table: add ${missing.join(', ')} to its definition.`;
    return failed(`${name} has no column ${missing.join(', ')}`, remedy, 'REGISTRY_INVALID');
  }
  if (notUnique.length > 0) {
    const { table } = registrySql(names, readable);
    return warning(
      `${name} may hold two rows with the same ${notUnique.join(' or the same ')}`,
      notUnique.map((column) => `CREATE UNIQUE INDEX ON ${table} (${readable(column)});`).join(' '),
    );
  }
  return unmapped(facts) ?? unwritable(facts) ?? ok(`${name}, ${census(facts)}`);
}

function census({ fleet }: RegistryFacts): string {
  const tenants = fleet?.tenants ?? [];
  const kinds = [...Map.groupBy(tenants, ({ status }) => status)].map(
    ([status, { length }]) => `${length} ${status === '' ? 'without a status' : status}`,
  );
  return `${counted(tenants.length, 'tenant')}${kinds.length > 0 ? ` (${kinds.join(', ')})` : ''}`;
}

/** Status values that map to no known status. */
function unmapped({ names, fleet }: RegistryFacts): Verdict | undefined {
  const known: readonly string[] = ['', ...STATUSES];
  const found = new Set(fleet?.tenants.map(({ status }) => status).filter((value) => !known.includes(value)));
  if (found.size === 0) return undefined;
  const values = [...found].map((value) => value.replace(/ \(not mapped\)$/, ''));
  return warning(
    `${registryName(names)}.${names.columns.status} holds ${listed(values)}, which maps to no status: tenantctl leaves such tenants alone`,
    `To migrate them: REGISTRY_STATUSES=ACTIVE=${[...names.statuses.ACTIVE, ...values].join('|')}. Other statuses: ${STATUSES.join(', ')}.`,
  );
}

/** Statuses that provisioning cannot write because the column's enum lacks them. */
function unwritable({ names, shape }: RegistryFacts): Verdict | undefined {
  const labels = shape?.columns.get(names.columns.status)?.labels ?? null;
  const lacking = (['PROVISIONING', 'ACTIVE', 'FAILED'] as const).filter(
    (word) => labels !== null && !labels.includes(names.statuses[word][0] ?? word),
  );
  if (lacking.length === 0) return undefined;
  return warning(
    `${registryName(names)}.${names.columns.status} cannot hold ${listed(lacking)}, which provisioning writes`,
    `Map each to a value of the enum in REGISTRY_STATUSES (${listed(labels ?? [])}), or extend the enum with ALTER TYPE ... ADD VALUE.`,
  );
}

function addColumn(names: Names, column: string): string {
  const { table, organization, schema, status } = registrySql(names, readable);
  const [alter, { columns }] = [`ALTER TABLE ${table}`, names];
  if (column === columns.organization)
    return `${alter} ADD COLUMN ${organization} varchar(255) UNIQUE; -- then set each row's organization id`;
  if (column === columns.schema)
    return `${alter} ADD COLUMN ${schema} varchar(63) UNIQUE; UPDATE ${table} SET ${schema} = ${literal(names.schemaPrefix)} || left(md5(${organization}), ${HASH_LENGTH});`;
  return `${alter} ADD COLUMN ${status} varchar(20) NOT NULL DEFAULT ${writtenStatus(names, 'ACTIVE')}; ${alter} ALTER COLUMN ${status} SET DEFAULT ${writtenStatus(names, 'PROVISIONING')};`;
}

/** The registry does not exist: not created yet, or lost. */
function absent({
  names,
  master,
  masterHistory: { entries },
  tenantSchemas,
  adoption,
}: RegistryView): Verdict {
  const detail = `${registryName(names)} does not exist`;
  // The histories have a check of their own.
  const found = adoptionAdvice({ ...adoption, histories: [] });
  if (found !== undefined)
    return failed(
      `${detail}; another table lists the schemas that Knex has migrated`,
      found,
      'REGISTRY_ABSENT',
    );
  if (!isDefaultRegistry(names)) {
    return failed(
      detail,
      'Correct REGISTRY_TABLE, or apply the master migration that creates the table: tenantctl migrate master',
      'REGISTRY_ABSENT',
    );
  }
  const hasInit = master?.files.some(({ name }) => isInit(name)) === true;
  const create = `${hasInit ? '' : 'tenantctl init && '}tenantctl migrate master`;
  if (entries.length === 0 && tenantSchemas.length === 0) {
    return hasInit
      ? warning(`${detail} yet`, create)
      : failed(
          `${detail}, and no master migration is called ..._init_db, the one that creates it`,
          create,
          'REGISTRY_ABSENT',
        );
  }
  const recorded = entries.find(({ name }) => isInit(name));
  const forget =
    recorded === undefined ? '' : `${recordAsUndone(masterTarget(names), recorded.name)}; and then `;
  return failed(
    `${detail}, although there are ${counted(entries.length, 'recorded master migration')} and ${counted(tenantSchemas.length, 'schema')} ${names.schemaPrefix}...: it was dropped or is in another database`,
    `Restore the table from a backup, or connect to the right database. If there is no backup, create it again, empty: ${forget}${create}${entries.length > (recorded === undefined ? 0 : 1) ? ' --allow-out-of-order' : ''}. tenantctl doctor then names the schemas to register.`,
    'REGISTRY_ABSENT',
  );
}

function stateSchema({ shape, stateVersion: found, foreignParts, master }: RegistryView): Verdict {
  if (found === STATE_VERSION && foreignParts.length === 0) return ok(`version ${found}`);
  if (found === STATE_VERSION)
    return warning(
      `not as tenantctl makes it: ${listed(foreignParts)}`,
      'Find out who changed it. Drop triggers, rules and policies there, and revoke what others may do with tenantctl.recordings, which is not used until then; tenantctl migrate master makes its routines again.',
    );
  if (found > STATE_VERSION) {
    return failed(
      `version ${found}; this tenantctl supports version ${STATE_VERSION}`,
      'npm install tenantctl@latest',
      'STATE_NEWER',
    );
  }
  if (found === 0 && shape === undefined) return skipped('is created with the registry');
  return warning(
    found === 0 ? 'does not exist yet' : `version ${found}; the next run upgrades it to ${STATE_VERSION}`,
    `tenantctl migrate ${(master?.files.length ?? 0) > 0 ? 'master' : 'tenants'}`,
  );
}
