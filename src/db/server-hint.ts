import { NODE_AWAY } from './citus.ts';
import { identifier } from './sql.ts';

type Hint = string | ((message: string) => string | undefined);

/**
 * What to do about an SQLSTATE, whatever the statement was
 * (https://www.postgresql.org/docs/current/errcodes-appendix.html).
 */
const HINTS: Readonly<Record<string, Hint>> = {
  '08006': (message) =>
    NODE_AWAY.test(message)
      ? 'A node of the Citus cluster is away. Its tenants cannot be used, and until it is back no table of any tenant can be created or altered. Run the command again then.'
      : undefined,
  '08P01': (message) =>
    message.startsWith('bind message')
      ? 'PostgreSQL takes at most 65,535 values in one statement: send fewer rows at once, such as with knex.batchInsert(table, rows, 1000).'
      : undefined,
  '0A000': missingFiles,
  '25006':
    'The server accepts no changes: it is a standby, or default_transaction_read_only is on. tenantctl doctor says which, and what to do. In a tenant migration it can also be a trigger that defers itself again and writes at the COMMIT, after the guard has looked.',
  '25P03':
    'The server heard nothing in the open transaction for too long, and rolled it back. Either tenantctl stood still (a suspended machine): run the command again. Or the migration waits for something other than the database: do slow work in SQL, or before the first query.',
  '40001': 'A concurrent transaction changed the same rows. Run the command again.',
  '40P01': 'Two transactions waited for each other; the server cancelled this one. Run the command again.',
  '42501': (message) =>
    missingExtension(message) ??
    missingMembership(message) ??
    `${missingRight(message)} tenantctl doctor names every right that tenantctl needs and lacks, with the SQL that gives it.`,
  '42601': (message) =>
    message === 'cannot insert multiple commands into a prepared statement'
      ? 'The nodes of a Citus cluster take statements such as CREATE INDEX one at a time: give each a call of knex.raw() of its own, or write them in an .sql migration.'
      : undefined,
  '42704': (message) =>
    /type "(\w+\.)?(vector|halfvec|sparsevec)"/.test(message)
      ? 'Make pgvector available in public, once, as a role that may: CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public; (where it is in another schema: ALTER EXTENSION vector SET SCHEMA public; where the server lacks it: https://github.com/pgvector/pgvector#installation)'
      : undefined,
  '53100': "The server's disk is full: free some space, and run the command again.",
  '53200': (message) =>
    /shared memory/.test(message)
      ? 'The server ran out of shared memory for locks: raise max_locks_per_transaction.'
      : 'The server ran out of memory: lower --concurrency, or work_mem and maintenance_work_mem.',
  '53300': 'The server has no free connection: lower --concurrency, or raise max_connections.',
  '55P03':
    'Another session held a lock on it for longer than LOCK_TIMEOUT_MS. Run the command again when no long transactions run; what was done stays done.',
  '57014': (message) =>
    /user request/.test(message)
      ? 'Somebody cancelled the statement: a second Ctrl-C, or pg_cancel_backend().'
      : message.startsWith('COPY from stdin failed')
        ? 'COPY ... FROM STDIN has no input here: write the rows with INSERT, or open psql.'
        : 'Raise STATEMENT_TIMEOUT_MS (--statement-timeout <ms>; 0 is no limit): for migrations it overrides the statement_timeout of role and database, but not one that the migration sets. For other statements raise that of the role: ALTER ROLE <role> SET statement_timeout = ...;',
  '58P01': missingFiles,
  TCT05:
    'Citus puts a table on the node of its schema only if the client itself creates it: write CREATE TABLE as a statement of the migration, not in a DO block or a function. If it was made earlier, by hand: drop it, or create it anew.',
  '57P01': 'The server was shut down, or somebody ended the connection. Run the command again.',
  '57P02': 'The server crashed and is recovering. Run the command again.',
  '57P03': 'The server is starting or shutting down. Run the command again.',
  '57P05':
    'The server ended an idle connection: idle_session_timeout of the role or the database is shorter than what tenantctl waits between two statements. Raise it: ALTER ROLE <role> SET idle_session_timeout = 0;',
};

export function serverHint(sqlstate: string | undefined, message: string): string | undefined {
  const hint = sqlstate === undefined ? undefined : HINTS[sqlstate];
  return typeof hint === 'function' ? hint(message) : hint;
}

/** Before PostgreSQL 15: 58P01. */
function missingFiles(message: string): string | undefined {
  return /^extension "[^"]+" is not available|extension control file/.test(message)
    ? 'The server does not have the files of the extension: install its package there (a managed server: see the list of its extensions), and run the command again.'
    : undefined;
}

/** The statement that creates an extension, if the role may not. */
function missingExtension(message: string): string | undefined {
  const [, name] = /^permission denied to create extension "(.+)"$/.exec(message) ?? [];
  return name === undefined
    ? undefined
    : `Create it once in this database, as a superuser or the administrator of a managed server: CREATE EXTENSION IF NOT EXISTS ${identifier(name)} WITH SCHEMA public; A migration with IF NOT EXISTS then finds it. If the extension is trusted, this is enough: GRANT CREATE ON DATABASE <database> TO <role>;`;
}

/** The GRANT for a right that a message misses: https://www.postgresql.org/docs/current/ddl-priv.html */
/** The procedure tenantctl.grant_applications says who owns what it may not grant. */
function missingMembership(message: string): string | undefined {
  const [, role, owner] = /^(.+?) may not grant what belongs to (.+?): /.exec(message) ?? [];
  if (role === undefined || owner === undefined) return undefined;
  return `Let the role act for the owner, as a superuser: GRANT ${owner} TO ${role}; or let the migration that creates the object grant the application's rights on it. Then run the command again.`;
}

function missingRight(message: string): string {
  const [, kind, name = ''] =
    /^permission denied for (schema|database|table|view|sequence) (.+)$/.exec(message) ?? [];
  const grant = (rights: string, on: string) =>
    `Let the role use it, as its owner or a superuser: GRANT ${rights} ON ${on} TO <role>;`;
  switch (kind) {
    case 'schema':
      return name === 'public'
        ? 'Give the schema to the role that runs tenantctl, as a superuser: ALTER SCHEMA public OWNER TO <role>;'
        : grant('USAGE, CREATE', `SCHEMA ${identifier(name)}`);
    case 'database':
      return 'Let the role create schemas, as the owner of the database or a superuser: GRANT CREATE ON DATABASE <database> TO <role>;';
    case 'table':
    case 'view':
      return grant('SELECT, INSERT, UPDATE, DELETE', `<its schema>.${identifier(name)}`);
    case 'sequence':
      return grant('USAGE, SELECT', `SEQUENCE <its schema>.${identifier(name)}`);
    default:
      return message.startsWith('must be owner of ')
        ? 'Only the owner may do that: run as a role that owns it, or is a member of its owner.'
        : 'Run as a role that has the right, or grant it.';
  }
}
