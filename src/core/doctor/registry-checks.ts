import { recordAsUndone } from '../target/record.ts';
import { HASH_LENGTH, registryName, STATUSES, type Names } from '../../names.ts';
import { literal, readable } from '../../db/sql.ts';
import { isDefaultRegistry, missingColumns, problemOfRegistry } from '../registry/registry-shape.ts';
import { registrySql, writtenStatus } from '../registry/registry-sql.ts';
import { masterTarget } from '../target/target.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import { STATE_VERSION } from '../install/state-schema.ts';
import { failed, ok, skipped, warning, type Check, type CheckId } from './check.ts';
import type { RegistryFacts } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

export const REGISTRY: readonly CheckId[] = ['registry', 'state-schema'];

/**
 * The checks of the registry and of tenantctl's own schema. Pure.
 * @param folder the master migrations, if they can be read
 */
export function registryChecks(facts: RegistryFacts, folder: MigrationFolder | undefined): Check[] {
  return [registryCheck(facts, folder), stateCheck(facts, folder)];
}

/** Whether this is the migration that creates the registry. */
export function isInit(name: string): boolean {
  return /(?:^|_)init_db$/.test(stemOf(name));
}

function registryCheck(facts: RegistryFacts, folder: MigrationFolder | undefined): Check {
  const { names, shape, fleet, notUnique } = facts;
  const registry = registryName(names);
  if (shape === undefined) return absent(facts, folder);
  const missing = missingColumns(shape, names);
  const problem = problemOfRegistry(shape, names);
  if (problem !== undefined && (missing.length === 0 || !isDefaultRegistry(names))) {
    return failed(
      'registry',
      `${registry} ${problem}`,
      `Set REGISTRY_COLUMNS=organization=…,schema=…,status=… to columns that it has: ${listed([...shape.columns.keys()])}.`,
      'REGISTRY_INVALID',
    );
  }
  if (missing.length > 0) {
    return failed(
      'registry',
      `${registry} has no column ${missing.join(', ')}`,
      shape.isTable
        ? missing.map((column) => addColumn(names, column)).join('\n')
        : `${registry} is no plain table: give it ${missing.join(', ')} where it is defined.`,
      'REGISTRY_INVALID',
    );
  }
  if (notUnique.length > 0) {
    return warning(
      'registry',
      `${registry} may hold two rows with the same ${notUnique.join(' or the same ')}`,
      notUnique
        .map(
          (column) => `CREATE UNIQUE INDEX ON ${registrySql(names, readable).table} (${readable(column)});`,
        )
        .join(' '),
    );
  }
  const kinds = Map.groupBy(fleet?.tenants ?? [], ({ status }) => status);
  const status = statusProblem(facts, [...kinds.keys()]);
  if (status !== undefined) return status;
  const sums = [...kinds].map(
    ([word, tenants]) => `${tenants.length} ${word === '' ? 'without a status' : word}`,
  );
  return ok(
    'registry',
    `${registry}, ${counted(fleet?.tenants.length ?? 0, 'tenant')}${sums.length > 0 ? ` (${sums.join(', ')})` : ''}`,
  );
}

/** Values that stand for no status, and statuses that provisioning cannot write. */
function statusProblem({ names, shape }: RegistryFacts, found: readonly string[]): Check | undefined {
  const column = `${registryName(names)}.${names.columns.status}`;
  const unmapped = found.filter((value) => value !== '' && !STATUSES.some((word) => word === value));
  const values = unmapped.map((value) => value.replace(/ \(not mapped\)$/, ''));
  if (values.length > 0) {
    return warning(
      'registry',
      `${column} holds ${listed(values)}, which stands for no status: such tenants are left alone`,
      `If they are to be migrated: REGISTRY_STATUSES=ACTIVE=${[...names.statuses.ACTIVE, ...values].join('|')}. Other words: ${STATUSES.join(', ')}.`,
    );
  }
  const labels = shape?.columns.get(names.columns.status)?.labels ?? null;
  const unwritable = (['PROVISIONING', 'ACTIVE', 'FAILED'] as const).filter(
    (word) => labels !== null && !labels.includes(names.statuses[word][0] ?? word),
  );
  if (unwritable.length === 0) return undefined;
  return warning(
    'registry',
    `${column} cannot hold ${listed(unwritable)}, which provisioning writes`,
    `Name a value of the enum for each in REGISTRY_STATUSES (${listed(labels ?? [])}), or add values to it with ALTER TYPE … ADD VALUE.`,
  );
}

/** The statements that add a column which is missing. */
function addColumn(names: Names, column: string): string {
  const { table, organization, schema, status } = registrySql(names, readable);
  const [alter, { columns }] = [`ALTER TABLE ${table}`, names];
  if (column === columns.organization)
    return `${alter} ADD COLUMN ${organization} varchar(255) UNIQUE; -- then fill it: each row has its organization id`;
  if (column === columns.schema)
    return `${alter} ADD COLUMN ${schema} varchar(63) UNIQUE; UPDATE ${table} SET ${schema} = ${literal(names.schemaPrefix)} || left(md5(${organization}), ${HASH_LENGTH});`;
  return `${alter} ADD COLUMN ${status} varchar(20) NOT NULL DEFAULT ${writtenStatus(names, 'ACTIVE')}; ${alter} ALTER COLUMN ${status} SET DEFAULT ${writtenStatus(names, 'PROVISIONING')};`;
}

/** There is no registry: not created yet, or lost. */
function absent(facts: RegistryFacts, folder: MigrationFolder | undefined): Check {
  const { names, masterHistory, tenantSchemas } = facts;
  const registry = registryName(names);
  if (!isDefaultRegistry(names)) {
    return failed(
      'registry',
      `${registry} does not exist`,
      'Correct REGISTRY_TABLE, or apply the master migration that creates the table: tenantctl migrate master',
      'REGISTRY_ABSENT',
    );
  }
  const isNew = masterHistory.entries.length === 0 && tenantSchemas === 0;
  const hasInit = folder?.files.some(({ stem }) => isInit(stem)) === true;
  if (isNew && hasInit)
    return warning('registry', `${registry} does not exist yet`, 'tenantctl migrate master');
  const make = `${hasInit ? '' : 'tenantctl init && '}tenantctl migrate master`;
  if (isNew) {
    return failed(
      'registry',
      `${registry} does not exist, and no master migration is called …_init_db, the one that creates it`,
      make,
      'REGISTRY_ABSENT',
    );
  }
  const recorded = masterHistory.entries.find(({ name }) => isInit(name));
  const witnesses = [
    ...(masterHistory.entries.length > 0 ? ['the master history has entries'] : []),
    ...(tenantSchemas > 0 ? [`${counted(tenantSchemas, 'schema')} ${names.schemaPrefix}… exist`] : []),
  ];
  const forget =
    recorded === undefined ? '' : `${recordAsUndone(masterTarget(names), recorded.name)}; and then `;
  return failed(
    'registry',
    `${registry} does not exist, although ${witnesses.join(' and ')}: it was dropped or is in another database`,
    `Restore the table from a backup, or correct DB_NAME. Where there is no backup, make it anew, empty: ${forget}${make}${masterHistory.entries.length > 1 ? ' --allow-out-of-order' : ''}. tenantctl doctor then names the schemas to be registered.`,
    'REGISTRY_ABSENT',
  );
}

function stateCheck(facts: RegistryFacts, folder: MigrationFolder | undefined): Check {
  const { stateVersion } = facts;
  const command = `tenantctl migrate ${(folder?.files.length ?? 0) > 0 ? 'master' : 'tenants'}`;
  if (stateVersion === STATE_VERSION) return ok('state-schema', `version ${stateVersion}`);
  if (stateVersion > STATE_VERSION) {
    return failed(
      'state-schema',
      `version ${stateVersion}; this tenantctl knows version ${STATE_VERSION}`,
      'npm install tenantctl@latest',
      'STATE_NEWER',
    );
  }
  if (stateVersion > 0)
    return warning('state-schema', `version ${stateVersion}, to be brought to ${STATE_VERSION}`, command);
  return facts.shape === undefined
    ? skipped('state-schema', 'comes with the registry')
    : warning('state-schema', 'does not exist yet', command);
}
