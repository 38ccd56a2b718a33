import { DatabaseError } from 'pg';
import { TenantctlError, toTenantctlError, type ErrorDetails } from '../errors.ts';
import { identifier } from './sql.ts';

/** What a connection error may name: never the password. */
export interface ConnectionTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

// SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
const TLS_CODES = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'the connection was cut',
  ENOENT: 'there is no such socket',
  EACCES: 'the socket may not be opened',
};

/** A failure to connect or to log in, as an error of its own kind with a remedy. */
export function toConnectionError(error: unknown, target: ConnectionTarget): TenantctlError {
  if (error instanceof TenantctlError) return error;
  const thrown = firstOf(error);
  const code = codeOf(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const where = `${target.host}:${target.port}`;
  if (thrown instanceof DatabaseError) return refused(thrown, target, where);

  if (code !== undefined && (TLS_CODES.has(code) || /^ERR_(SSL|TLS|OSSL)/.test(code))) {
    // OpenSSL's own message is a line of its source code; Node gives the reason by itself.
    const { reason = message } = thrown as { reason?: string };
    return new TenantctlError('TLS_FAILED', `The TLS connection to ${where} failed: ${reason} (${code}).`, {
      hint: tlsHint(code),
      cause: thrown,
    });
  }
  if (/does not support SSL/i.test(message)) {
    return new TenantctlError(
      'TLS_FAILED',
      `The server at ${where} does not offer TLS, and DB_SSL=true asks for it.`,
      {
        hint: 'Turn TLS on at the server (ssl = on in postgresql.conf), or set DB_SSL=false for a server on a trusted network.',
        cause: thrown,
      },
    );
  }
  const reason = code === undefined ? undefined : UNREACHABLE[code];
  if (reason !== undefined || /timeout/i.test(message)) {
    return new TenantctlError(
      'CONNECTION_FAILED',
      `Cannot reach PostgreSQL at ${where}: ${reason ?? 'no answer within the time allowed'}${code === undefined ? '' : ` (${code})`}.`,
      {
        hint: 'Check DB_HOST and DB_PORT, and that the server runs and accepts connections from here. To try tenantctl without a server, add --embedded.',
        cause: thrown,
      },
    );
  }
  return new TenantctlError('CONNECTION_FAILED', `Cannot connect to PostgreSQL at ${where}: ${message}`, {
    hint: 'Check DB_HOST, DB_PORT and DB_SSL.',
    cause: thrown,
  });
}

function refused(error: DatabaseError, target: ConnectionTarget, where: string): TenantctlError {
  const details = { sqlstate: error.code, cause: error };
  switch (error.code) {
    case '28P01':
      return new TenantctlError(
        'LOGIN_FAILED',
        `The server at ${where} refused the password of ${target.user}.`,
        {
          ...details,
          hint: 'Check DB_USER and DB_PASSWORD.',
        },
      );
    case '28000':
      return new TenantctlError(
        'LOGIN_FAILED',
        `The server at ${where} does not let ${target.user} in: ${error.message}.`,
        {
          ...details,
          hint: /no encryption|SSL off/i.test(error.message)
            ? 'The server asks for TLS here: set DB_SSL=true (and DB_SSL_CERT_PATH where its certificate is signed by an authority of its own).'
            : "Check DB_USER, the server's pg_hba.conf, and DB_SSL_CLIENT_CERT_PATH where it asks for a client certificate.",
        },
      );
    case '42501':
      return new TenantctlError(
        'CONNECTION_FAILED',
        `The server at ${where} does not let ${target.user} connect to the database "${target.database}": ${error.message}.`,
        {
          ...details,
          hint: `Let the role connect, as the owner of the database or a superuser: GRANT CONNECT ON DATABASE ${identifier(target.database)} TO ${identifier(target.user)};`,
        },
      );
    case '3D000':
      return new TenantctlError(
        'DATABASE_MISSING',
        `There is no database "${target.database}" on ${where}.`,
        {
          ...details,
          hint: `Create it (CREATE DATABASE ${identifier(target.database)};) or correct DB_NAME.`,
        },
      );
    case '53300':
      return new TenantctlError(
        'CONNECTION_FAILED',
        `The server at ${where} has no free connection: ${error.message}.`,
        {
          ...details,
          hint: 'Wait, lower --concurrency, or raise max_connections.',
        },
      );
    case '08P01':
      return new TenantctlError(
        'CONNECTION_FAILED',
        `The connection pooler at ${where} refused the connection: ${error.message}.`,
        {
          ...details,
          hint: /startup parameter/.test(error.message)
            ? 'tenantctl sends none of its own: unset PGOPTIONS, which the driver reads; or let the pooler pass it over (ignore_startup_parameters in PgBouncer), and then it has no effect.'
            : 'It is the pooler that says so, for itself or for the server behind it: look at its log, its databases and its limits. Check DB_HOST, DB_PORT, DB_USER and DB_NAME.',
        },
      );
    default:
      return new TenantctlError(
        'CONNECTION_FAILED',
        `The server at ${where} refused the connection: ${error.message}.`,
        details,
      );
  }
}

function tlsHint(code: string): string {
  switch (code) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'The certificate is for another host name: set DB_HOST to a name that it carries.';
    case 'CERT_HAS_EXPIRED':
      return "The server's certificate has expired: renew it there.";
    case 'CERT_NOT_YET_VALID':
      return "The server's certificate is not valid yet: check both clocks.";
    default:
      return /UNKNOWN_CA|CERTIFICATE_REQUIRED|BAD_CERTIFICATE/.test(code)
        ? 'The server refused the client certificate: check DB_SSL_CLIENT_CERT_PATH and DB_SSL_CLIENT_KEY_PATH.'
        : "The server's certificate is not signed by a known authority: set DB_SSL_CERT_PATH to the PEM file of the authority that signed it (ssl/README.md says where to get it).";
  }
}

/**
 * An error from a query, as a TenantctlError: DATABASE_ERROR with PostgreSQL's code and, for the cases that people
 * meet, the remedy. What is neither PostgreSQL's nor tenantctl's becomes INTERNAL.
 */
export function toDatabaseError(error: unknown, details: ErrorDetails = {}): TenantctlError {
  if (!(error instanceof DatabaseError)) return toTenantctlError(error).with(details);
  return new TenantctlError('DATABASE_ERROR', error.message, {
    ...details,
    sqlstate: error.code,
    hint: details.hint ?? hintFor(error.code, error.message),
    cause: error,
  });
}

/**
 * The connection was lost: pg has said so by its `error` event. Only withClient makes these: a text does not tell, as
 * Knex puts the SQL in front of every error's message.
 */
export function connectionLost(error: Error): TenantctlError {
  if (error instanceof DatabaseError) return toDatabaseError(error);
  return new TenantctlError('DATABASE_ERROR', error.message, {
    hint: 'The connection to the server broke. Nothing is half done: run the command again, and the history decides what is due.',
    cause: error,
  });
}

/** Whether an error says that the connection was lost, and the server has not said why. */
export function isConnectionLoss(error: unknown): boolean {
  return error instanceof TenantctlError && error.code === 'DATABASE_ERROR' && error.sqlstate === undefined;
}

/** What a call is told whose database was closed. @param cause what went wrong because of it */
export function databaseClosed(cause?: unknown): TenantctlError {
  return new TenantctlError('DATABASE_CLOSED', 'The database was closed, by close(), before this was done.', {
    hint: 'What was not committed is rolled back, and the same call finishes the job. Call close() when all calls have ended.',
    cause,
  });
}

/** The remedy for an SQLSTATE, where one is known that holds whatever the statement was. */
export function hintFor(sqlstate: string | undefined, message: string): string | undefined {
  switch (sqlstate) {
    case '42704':
      return /type "(\w+\.)?(vector|halfvec|sparsevec)"/.test(message)
        ? 'Make pgvector available in public, once, as a role that may: CREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public; (where it is in another schema: ALTER EXTENSION vector SET SCHEMA public; where the server lacks it: https://github.com/pgvector/pgvector#installation)'
        : undefined;
    case '42501':
      return `${missingRight(message)} tenantctl doctor names every right that is missing, with the SQL that gives it.`;
    case '55P03':
      return 'Somebody else held a lock on that table for longer than LOCK_TIMEOUT_MS, each time it was tried. Run the command again, away from long transactions; what was done stays done.';
    case '53200':
      return 'The server ran out of shared memory for locks: raise max_locks_per_transaction.';
    case '25006':
      return 'The server is read-only (a standby?): connect to the primary.';
    default:
      return undefined;
  }
}

/** The statement for a right that a message misses: https://www.postgresql.org/docs/current/ddl-priv.html */
function missingRight(message: string): string {
  const [, kind, name = ''] =
    /^permission denied for (schema|database|table|view|sequence) (.+)$/.exec(message) ?? [];
  const object = identifier(name);
  switch (kind) {
    case 'schema':
      return name === 'public'
        ? 'Give the schema to the role that runs tenantctl, as a superuser: ALTER SCHEMA public OWNER TO <DB_USER>;'
        : `Let the role use the schema, as its owner or a superuser: GRANT USAGE, CREATE ON SCHEMA ${object} TO <DB_USER>;`;
    case 'database':
      return 'Let the role create schemas, as the owner of the database or a superuser: GRANT CREATE ON DATABASE <DB_NAME> TO <DB_USER>;';
    case 'table':
    case 'view':
      return `Let the role use it, as its owner or a superuser: GRANT SELECT, INSERT, UPDATE, DELETE ON <its schema>.${object} TO <DB_USER>;`;
    case 'sequence':
      return `Let the role use it, as its owner or a superuser: GRANT USAGE, SELECT ON SEQUENCE <its schema>.${object} TO <DB_USER>;`;
    default:
      return message.startsWith('must be owner of ')
        ? 'Only the owner may do that: run as a role that owns it, or is a member of its owner.'
        : 'Run as a role that has the right, or grant it.';
  }
}

/** Node tries every address of a host name and throws them all together: the first is as good as any. */
function firstOf(error: unknown): unknown {
  return error instanceof AggregateError && error.errors.length > 0 ? error.errors[0] : error;
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
