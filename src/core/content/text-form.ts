import { literal, readable } from '../../db/sql.ts';
import { MASTER_SCHEMA } from '../target/lock.ts';

/**
 * Under these settings, the text of a value depends on neither the server, the database, the role, nor the name of the
 * schema, and PostgreSQL reads it back as the same value:
 * https://www.postgresql.org/docs/current/sql-copy.html ("Notes")
 */
const TEXT_FORM: Readonly<Record<string, string>> = {
  datestyle: 'ISO, YMD',
  intervalstyle: 'postgres',
  timezone: 'UTC',
  // Since version 12 this gives the shortest text that is exactly the number.
  extra_float_digits: '1',
  bytea_output: 'hex',
  xmloption: 'content',
  lc_monetary: 'C',
  client_encoding: 'UTF8',
  // Fails where rows would be missing silently.
  row_security: 'off',
};

/**
 * A statement that makes the transaction read and write rows in the form of a backup. The search path lets types such
 * as regclass, and functions of the tenant, work as in its migrations.
 */
export function contentSettings(schema: string): string {
  const searchPath = [schema, MASTER_SCHEMA].map(readable).join(', ');
  const calls = Object.entries(TEXT_FORM).map(
    ([name, value]) => `set_config(${literal(name)}, ${literal(value)}, true)`,
  );
  return `SELECT ${[...calls, `set_config('search_path', ${literal(searchPath)}, true)`].join(', ')}`;
}
