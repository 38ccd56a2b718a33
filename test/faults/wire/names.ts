/** The statement after which the client sends rows. */
export const ROWS_FOLLOW = 'COPY FROM';

/** Patterns for tenantctl's own statements; the first match names the point at which a fault strikes. */
const PURPOSES: readonly (readonly [RegExp, string])[] = [
  [/^BEGIN\b/i, 'begin'],
  [/^COMMIT\b/i, 'commit'],
  [/^ROLLBACK TO\b/i, 'letting go of all but the lock'],
  [/^ROLLBACK\b/i, 'rollback'],
  [/^SELECT set_config\(/i, 'settings'],
  [/^CALL tenantctl\.enter\b/i, 'lock and check'],
  [/^CALL tenantctl\.leave\b/i, 'history insert and stamp'],
  [/^CALL tenantctl\.record\b/i, 'history insert'],
  [/^SELECT tenantctl\.stamp\b|^CALL tenantctl\.stamp_new\b|\btenantctl_unstamp/i, 'stamp'],
  [/tenantctl\.stamp\(/i, 'stamps'],
  [/^INSERT INTO tenantctl\.histories\b/i, 'stamps'],
  [/^COPY\b[^]*\bFROM STDIN\b/i, ROWS_FOLLOW],
  [/^COPY\b/i, 'COPY TO'],
  [/^INSERT INTO tenantctl\.verb_intents\b/i, "verb's beginning"],
  [/^DELETE FROM tenantctl\.verb_intents\b/i, "verb's end"],
  [/^INSERT INTO tenantctl\.backups\b/i, 'recorded backup'],
  [/^UPDATE tenantctl\.tenants SET gone_at\b/i, 'tombstone'],
  [/^INSERT INTO tenantctl\.run_tenants\b/i, 'ledger'],
  [/^INSERT INTO tenantctl\.runs\b/i, "run's beginning"],
  [/^UPDATE tenantctl\.runs\b/i, "run's end"],
  [/^INSERT INTO tenantctl\.intents\b/i, 'intent'],
  [/^DELETE FROM tenantctl\.intents\b/i, "intent's end"],
  [/^(?:WITH changed AS \()?UPDATE public\.tenants SET status\b/i, 'status change'],
  [/^CALL tenantctl\.grant_applications\b/i, 'grants'],
  [/ tenantctl\.application_roles /i, 'remembered role'],
  [/^INSERT INTO public\.tenants\b/i, 'registration'],
  [/^INSERT INTO \S*knex_migrations_(?:tenant|master)"? /i, 'history insert'],
  [/^DELETE FROM \S*knex_migrations_(?:tenant|master)"? /i, 'history delete'],
  [/^SELECT pg_try_advisory_xact_lock\(hashtextextended\('tenantctl:lease:/i, 'the lease'],
  [/^SELECT pg_try_advisory_xact_lock\(/i, 'lock'],
  [/knex_migrations_(?:tenant|master)_lock/i, "history's tables"],
  [/\btenantctl\b/i, 'housekeeping'],
  [/^(?:SET|RESET|DISCARD|SAVEPOINT)\b|^SELECT pg_advisory_unlock_all/i, 'settings'],
  [/^SELECT\b[^]*\b(?:FROM pg_|public\.tenants|knex_migrations_)/i, 'look'],
  [/^SELECT (?:current_setting|to_regclass)\(|^WITH (?:RECURSIVE )?\w+ (?:\([^)]*\) )?AS\b/i, 'look'],
];

/** The name of a statement's point: its purpose, or for a migration's statement what it does. */
export function nameOf(statement: string): string {
  const text = statement.replace(/^(?:\s|--[^\n]*\n|\/\*[^]*?\*\/)+/, '');
  const purpose = PURPOSES.find(([form]) => form.test(text))?.[1];
  if (purpose !== undefined) return purpose;
  const words = text.match(/[a-z_]+/gi) ?? [];
  return `statement ${words.slice(0, 2).join(' ').toUpperCase()}`;
}

/** The purposes that characterize a string of several statements. */
const TELLING =
  /^(?:lock|grants|remembered|recorded|history|intent|status|stamp|run's|verb's|tombstone|commit|COPY|statement|registration)/;

/** The name of a string sent as a whole: its characteristic purposes, each once. */
export function nameOfString(statements: readonly string[]): string {
  const names = [...new Set(statements.map(nameOf))];
  const telling = names.filter((name) => TELLING.test(name));
  return (telling.length > 0 ? telling : names).join(', ');
}
