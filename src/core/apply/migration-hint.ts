import { serverHint } from '../../db/server-hint.ts';
import { configForm } from '../files/config-form.ts';
import type { Direction, Migration } from '../files/load.ts';
import { lacksCommit } from '../statements/needs-commit.ts';

interface Refused {
  readonly sqlstate: string | undefined;
  readonly message: string;
  readonly migration: Migration;
  readonly direction: Direction;
}

const EXISTS =
  'The schema has it already: made by hand, by another migration, or by an earlier attempt outside a transaction. Compare it with what the migration makes. Then drop it, or let the migration accept it (IF NOT EXISTS).';
const LACKS =
  'Neither the schema nor public has it under that name. Is it made by a later migration, or was it renamed or dropped by hand?';

type Hint = string | ((refused: Refused) => string | undefined);

/** What to do if a migration's statement is refused, by SQLSTATE, or by the first two characters, its class. */
const HINTS: Readonly<Record<string, Hint>> = {
  '0A': 'PostgreSQL does not support that here: the message says what. Write the change another way.',
  '22': 'A value is not valid there: one in the statement, or in the rows of this tenant. Correct it, and run the command again.',
  '23': 'Rows of this tenant, or those that the migration writes, violate the constraint. Correct them, in the migration or before it, and run the command again.',
  '25001': transactionHint,
  '25P02': 'An earlier statement of the migration failed. One that may fail needs a savepoint.',
  '25P04':
    'It took longer than the transaction_timeout of the role or the database: raise it, or split the migration.',
  '2D000': ({ migration, direction }) =>
    `A COMMIT or ROLLBACK in a DO block or a procedure ends the transaction, which belongs to tenantctl. Remove it, or put the statement in a migration of its own that runs outside a transaction: ${outsideForm(migration, direction)}`,
  '2BP01': 'Other objects depend on it; DETAIL names them. Drop them first, or add CASCADE if they may go.',
  '3F': LACKS,
  '42': 'The server does not accept the statement. Correct the migration, and run the command again.',
  '42601': 'Correct the SQL, and run the command again.',
  '42701': EXISTS,
  '42703': LACKS,
  '42704': LACKS,
  '42710': EXISTS,
  '42723': EXISTS,
  '42883':
    'There is no such function or operator for these types, in the schema or in public. Does it need a cast, or an extension that is not installed in public?',
  '42P01': LACKS,
  '42P06': EXISTS,
  '42P07': EXISTS,
  '55006': ({ message }) =>
    lacksCommit('55006', message)
      ? 'Rows that the migration has written have deferred constraints. Put SET CONSTRAINTS ALL IMMEDIATE before the statement, or the statement in a later migration.'
      : 'Something else uses it. Run the command again when that has ended.',
  '55P04': ({ migration, direction }) =>
    `A new value of an enum can be used only after it was committed. Put ALTER TYPE ... ADD VALUE in an earlier migration of its own: tenantctl commits that one first. Or let the migration run outside a transaction: ${outsideForm(migration, direction)}`,
  P0: 'The migration, or a function or trigger that it calls, raised this error itself.',
};

const AGAIN =
  'A repeatable script is applied again and again: write CREATE OR REPLACE, or put DROP ... IF EXISTS before the statement.';
const NOT_REPLACED =
  'CREATE OR REPLACE cannot make this change: put DROP ... IF EXISTS before the statement.';

/** What differs for repeatable scripts. */
const SCRIPT_HINTS: Readonly<Record<string, string>> = {
  '2BP01':
    'What another script makes depends on it: drop that first, in this script, and change the other script, too, so that it is applied again.',
  '42710': AGAIN,
  '42723': AGAIN,
  '42P07': AGAIN,
  '42P13': NOT_REPLACED,
  '42P16': NOT_REPLACED,
};

/** The next step after a failed migration. Pure. */
export function migrationHint(refused: Refused): string {
  const { sqlstate, message, migration } = refused;
  const isGiven = migration.file.isGiven === true;
  const known = serverHint(sqlstate, message);
  if (known !== undefined) return known;
  if (sqlstate === '23505' && migration.file.kind === 'seed') return SEEDED_TWICE;
  if (migration.file.kind === 'hook') return 'Correct the hook, and run the command again.';
  const hints = refused.migration.file.script === undefined ? HINTS : { ...HINTS, ...SCRIPT_HINTS };
  const hint = sqlstate && (hints[sqlstate] ?? hints[sqlstate.slice(0, 2)]);
  const text = typeof hint === 'function' ? hint(refused) : hint;
  if (/^(?:__dirname|__filename|require) is not defined/.test(message)) return COMMON_JS_ONLY;
  const said = text ?? 'Correct the migration, and run the command again.';
  if (migration.file.kind === 'seed') return said.replaceAll('the migration', 'the seed');
  return isGiven
    ? said.replace(/,? and run the command again/, '').replaceAll('the migration', 'the SQL')
    : said;
}

const SEEDED_TWICE =
  'The tenant has such a row already. A seed runs again when its file changes: delete the rows first, or use ON CONFLICT (onConflict in Knex).';

const COMMON_JS_ONLY =
  'An ES module has import.meta.dirname, import.meta.filename and import instead. Or name the file .cjs, or .ts.';

/** 25001 also means that a SET TRANSACTION came too late. */
function transactionHint({ message, migration, direction }: Refused): string | undefined {
  if (/cannot be executed from/.test(message))
    return `It must be sent as a statement of its own, not from a function or a DO block, and outside a transaction: ${outsideForm(migration, direction)}`;
  return /cannot (?:run|be executed) (?:inside|within)/.test(message)
    ? `Put the statement in a migration of its own that runs outside a transaction: ${outsideForm(migration, direction)}`
    : 'tenantctl begins the transaction, and has sent statements before: remove the statement.';
}

/** The line that takes a migration out of its transaction, in the form of its file. */
export function outsideForm(migration: Migration, direction: Direction): string {
  return configForm(migration, direction, { inTransaction: false });
}
