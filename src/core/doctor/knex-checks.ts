import { literal, qualified, readable } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import type { History } from '../target/history.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import { ok, warning, type Check, type CheckId } from './check.ts';
import { inEachTenant } from './remedy.ts';
import type { OtherHistory, RegistryFacts } from './registry-facts.ts';
import { listed } from '../../wording.ts';

export const KNEX: readonly CheckId[] = ['knex-histories', 'knex-names', 'knex-sql'];

/**
 * Checks whether Knex itself could continue the histories: it needs a file for each recorded name, and cannot load .sql
 * (knex/lib/migrations/migrate/Migrator.js, validateMigrationList). Pure.
 */
export function knexChecks(
  facts: RegistryFacts,
  master: MigrationFolder | undefined,
  tenants: MigrationFolder | undefined,
): Check[] {
  const inMaster = renamed(master, [facts.masterHistory]);
  const inTenants = renamed(tenants, facts.fleet?.histories.values() ?? []);
  const sql = [...(master?.files ?? []), ...(tenants?.files ?? [])]
    .filter(({ format }) => format === 'sql')
    .map(({ name }) => name);
  return [historiesCheck(facts.otherHistories), namesCheck(facts.names, inMaster, inTenants), sqlCheck(sql)];
}

/** Histories under names that are not configured: what Knex applied there would be applied again. */
function historiesCheck(others: readonly OtherHistory[]): Check {
  const id = 'knex-histories';
  if (others.length === 0) return ok(id, 'none under another name');
  // Of several in public, or among tenants, the most frequent is named.
  const places = [others.find(({ inPublic }) => inPublic), others.find(({ inPublic }) => !inPublic)];
  const variables = places.flatMap((place, at) =>
    place === undefined ? [] : `${at === 0 ? 'MASTER' : 'TENANT'}_HISTORY_TABLE=${place.table}`,
  );
  const found = others.map(
    ({ table, schema, schemas }) => `${schema}.${table}${schemas > 1 ? ` and ${schemas - 1} more` : ''}`,
  );
  return warning(
    id,
    `Knex has kept histories that tenantctl does not read: ${listed(found)}`,
    `If tenantctl is to continue them: ${variables.join(' ')}`,
  );
}

interface Renaming {
  readonly from: string;
  readonly to: string;
}

/** Names in these histories whose file now has another extension. */
function renamed(folder: MigrationFolder | undefined, histories: Iterable<History>): Renaming[] {
  const files = new Map(folder?.files.map(({ stem, name }) => [stem, name]));
  const found = new Map<string, Renaming>();
  for (const entries of new Set(Array.from(histories, (history) => history.entries))) {
    for (const { name } of entries) {
      const to = files.get(stemOf(name));
      if (to !== undefined && to !== name) found.set(name, { from: name, to });
    }
  }
  return [...found.values()];
}

function namesCheck(names: Names, inMaster: readonly Renaming[], inTenants: readonly Renaming[]): Check {
  const all = [...inMaster, ...inTenants];
  if (all.length === 0) return ok('knex-names', 'the recorded names are those of the files');
  return warning(
    'knex-names',
    `recorded under another extension, so that Knex itself cannot continue this history (tenantctl can): ${listed(all.map(({ from, to }) => `${from} is ${to} now`))}`,
    inTenants.length > 0
      ? renameInTenants(names, inMaster, inTenants)
      : inMaster.map((renaming) => renameInMaster(names, renaming)).join('\n'),
  );
}

function renameInMaster({ masterHistory }: Names, { from, to }: Renaming): string {
  return `UPDATE ${qualified('public', masterHistory)} SET name = ${literal(to)} WHERE name = ${literal(from)};`;
}

/** One statement for master and the whole fleet. */
function renameInTenants(
  names: Names,
  inMaster: readonly Renaming[],
  inTenants: readonly Renaming[],
): string {
  const { table, schema } = registrySql(names, readable);
  const history = literal(names.tenantHistory);
  const values = inTenants.map(({ from, to }) => `(${literal(from)}, ${literal(to)})`).join(', ');
  const ofMaster = inMaster.map(
    (renaming) => `SELECT ${literal(renameInMaster(names, renaming))} UNION ALL\n    `,
  );
  return inEachTenant(`${ofMaster.join('')}SELECT format('UPDATE %I.%I SET name = %L WHERE name = %L', n.nspname, ${history}, r.new_name, r.old_name)
    FROM ${table} t
    JOIN pg_namespace n ON n.nspname = t.${schema}::name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = ${history}
    CROSS JOIN (VALUES ${values}) r (old_name, new_name)`);
}

function sqlCheck(names: readonly string[]): Check {
  if (names.length === 0) return ok('knex-sql', 'no .sql files: Knex can load every migration');
  return warning(
    'knex-sql',
    `Knex itself cannot load ${listed(names)}: once applied, only tenantctl can continue the history`,
    'Nothing needs to be done as long as tenantctl does the migrating. To let Knex do it: write each as a .ts file of the same name that passes its SQL to knex.raw, delete the .sql file, and run tenantctl doctor again for the names in the history.',
  );
}
