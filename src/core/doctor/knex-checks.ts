import { literal, qualified, readable } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { lockTableOf, type History } from '../target/history.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import { adoptionAdvice } from '../registry/adoption.ts';
import { continues, placesOf, type OtherHistory } from '../registry/other-histories.ts';
import { resolutionHint } from '../state/resolution-commands.ts';
import { failed, ok, warning, type CheckTable, type Verdict } from './check.ts';
import { HANDLED, inEachTenant, leftOver } from './remedy.ts';
import type { RegistryView } from './registry-facts.ts';
import { counted, listed } from '../../wording.ts';

/**
 * Leftovers of crashes, and whether Knex itself could continue the histories: it needs a file for each
 * recorded name, and cannot load .sql (knex/lib/migrations/migrate/Migrator.js, validateMigrationList).
 */
export const KNEX: CheckTable<RegistryView> = {
  'knex-locks': ['Locks of Knex', knexLocks],
  intents: ['Interrupted migrations', intents],
  'knex-histories': ['Histories of Knex', knexHistories],
  'knex-names': ['Names for Knex', knexNames],
  'knex-sql': ['.sql and Knex', knexSql],
};

function knexLocks({ names, masterHistory, fleet }: RegistryView): Verdict {
  const locked = (fleet?.members ?? [])
    .filter(({ history }) => history.lockedByKnex)
    .map(({ tenant: { schema } }) => ({ schema, table: lockTableOf(names.tenantHistory) }));
  if (masterHistory.lockedByKnex)
    locked.unshift({ schema: 'public', table: lockTableOf(names.masterHistory) });
  if (locked.length === 0) return ok('none is set');
  const updates = locked
    .slice(0, HANDLED)
    .map(({ schema, table }) => `UPDATE ${qualified(schema, table)} SET is_locked = 0;`);
  return failed(
    `set in ${listed(locked.map(({ schema }) => schema))}: a Knex process is migrating there, or died while it did`,
    `${updates.join('\n')} -- when no Knex process is at work there${leftOver(locked.length, '--')}`,
    'KNEX_LOCKED',
  );
}

function intents({ memory, atWork }: Pick<RegistryView, 'memory' | 'atWork'>): Verdict {
  const interrupted = [...memory.intents].filter(([schema]) => !atWork.includes(schema));
  if (interrupted.length === 0)
    return ok(atWork.length === 0 ? 'none' : `none; ${counted(atWork.length, 'migration')} under way`);
  const hints = interrupted.slice(0, HANDLED).map(([schema, intent]) => resolutionHint({ schema }, intent));
  const places = interrupted.map(([schema, { migration }]) => `${migration} in ${schema}`);
  return failed(
    `a run was killed, and the outcome of these is unknown: ${listed(places)}`,
    `${hints.join('\n')}${leftOver(interrupted.length)}`,
    'MIGRATION_INTERRUPTED',
  );
}

/** Histories under names that are not configured: their migrations would be applied again. */
function knexHistories(view: RegistryView): Verdict {
  const { histories } = view.adoption;
  const own = histories.filter((history) => isOwn(history, view));
  if (own.length > 0)
    return failed(
      `Knex has recorded these migrations in ${placesOf(own)}, which tenantctl does not read`,
      adoptionAdvice(view.adoption) ?? '',
      'NAMES_DIFFER',
    );
  return ok(
    histories.length === 0
      ? 'none under another name'
      : `${placesOf(histories)} record no migration of these folders: another program's`,
  );
}

/** Whether a history under another name is that of the folders. */
export function isOwn(history: OtherHistory, { master, tenantFolder }: RegistryView): boolean {
  return continues(history.inPublic ? master : tenantFolder, history);
}

function knexNames({ names, master, tenantFolder, masterHistory, fleet }: RegistryView): Verdict {
  const inMaster = renamed(master, [masterHistory]);
  const inTenants = renamed(tenantFolder, fleet?.members.map(({ history }) => history) ?? []);
  const all = [...inMaster, ...inTenants].map(([from, to]) => `${from} is ${to} now`);
  if (all.length === 0) return ok('the recorded names are those of the files');
  return warning(
    `recorded under another extension, so that Knex itself cannot continue this history (tenantctl can): ${listed(all)}`,
    rename(names, inMaster, inTenants),
  );
}

type Renamings = ReadonlyMap<string, string>;

/** Recorded names whose file now has another extension, with the new file name. */
function renamed(folder: MigrationFolder | undefined, histories: readonly History[]): Renamings {
  const files = new Map(folder?.files.map(({ stem, name }) => [stem, name]));
  const entries = [...new Set(histories.map((history) => history.entries))].flat();
  const found = new Map(entries.map(({ name }) => [name, files.get(stemOf(name)) ?? name]));
  return new Map([...found].filter(([from, to]) => from !== to));
}

function rename(names: Names, inMaster: Renamings, inTenants: Renamings): string {
  const { table, schema } = registrySql(names, readable);
  const history = literal(names.tenantHistory);
  const masterHistory = qualified('public', names.masterHistory);
  const commands = [...inMaster]
    .map(([from, to]) => `UPDATE ${masterHistory} SET name = ${literal(to)} WHERE name = ${literal(from)}`)
    .map((update) => `SELECT ${literal(update)}`);
  const pairs = [...inTenants].map(([from, to]) => `(${literal(from)}, ${literal(to)})`);
  if (pairs.length > 0) {
    commands.push(`SELECT format('UPDATE %I.%I SET name = %L WHERE name = %L', n.nspname, ${history}, r.new_name, r.old_name)
    FROM ${table} t
    JOIN pg_namespace n ON n.nspname = t.${schema}::name
    JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = ${history}
    CROSS JOIN (VALUES ${pairs.join(', ')}) r (old_name, new_name)`);
  }
  return inEachTenant(commands.join('\n    UNION ALL\n    '));
}

function knexSql({ master, tenantFolder }: RegistryView): Verdict {
  const names = [master, tenantFolder]
    .flatMap((folder) => folder?.files ?? [])
    .filter(({ format }) => format === 'sql')
    .map(({ name }) => name);
  if (names.length === 0) return ok('no .sql files: Knex can load every migration');
  return warning(
    `Knex itself cannot load ${listed(names)}: once applied, only tenantctl can continue the history`,
    'Nothing needs to be done as long as tenantctl runs the migrations. To use Knex: write each as a .ts file of the same name that passes its SQL to knex.raw, delete the .sql file, and run tenantctl doctor again for the names in the history.',
  );
}
