import { DatabaseError } from 'pg';
import type { ErrorCode } from '../error-code.ts';
import { messageOf, TenantctlError, toTenantctlError, type ErrorDetails } from '../errors.ts';
import { isError } from '../is-error.ts';
import { isProtocolViolation } from '../transient.ts';
import { NODE_AWAY } from './citus.ts';
import { identifier } from './sql.ts';
import { serverHint } from './server-hint.ts';
import type { Address } from './database.ts';

// SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html

type Told = readonly [code: ErrorCode, message: string, hint?: string];

type Target = Pick<Address, 'host' | 'port' | 'user' | 'database' | 'source'>;

/** TLS error codes of Node and OpenSSL (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const TLS_CODES =
  /^(?:ERR_(?:SSL|TLS|OSSL)|CERT_|SELF_SIGNED_CERT|DEPTH_ZERO_SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY))/;

const UNREACHABLE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'no such host name',
  EAI_AGAIN: 'the host name could not be looked up',
  EHOSTUNREACH: 'there is no route to that host',
  ENETUNREACH: 'there is no route to that network',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'the connection was closed',
  ENOENT: 'there is no such socket',
  EACCES: 'permission to open the socket is missing',
};

/** Converts a failure to connect or log in to a TenantctlError with a hint. */
export function toConnectionError(error: unknown, target: Target): TenantctlError {
  if (error instanceof TenantctlError) return error;
  // Node tries every address of a host name and throws all errors together.
  const cause: unknown = error instanceof AggregateError ? (error.errors[0] ?? error) : error;
  const where = `${target.host}:${target.port}`;
  const isRefusal = cause instanceof DatabaseError;
  const [code, message, hint] = isRefusal
    ? tellRefusal(cause, where, target)
    : tellFailure(messageOf(cause), cause, where, target.source);
  return new TenantctlError(code, message, { hint, cause, sqlstate: isRefusal ? cause.code : undefined });
}

function tellFailure(message: string, cause: unknown, where: string, source: Target['source']): Told {
  // OpenSSL's message is a line of its source code; `reason` is the explanation.
  const { code = '', reason = message } = (cause ?? {}) as { code?: unknown; reason?: string };
  const named = String(code);
  if (TLS_CODES.test(named))
    return [
      'TLS_FAILED',
      `The TLS connection to ${where} failed: ${reason} (${named}).`,
      tlsHint(named, source),
    ];
  if (/client password must be a/i.test(message))
    return [
      'LOGIN_FAILED',
      `The server at ${where} asks for a password, and none is set.`,
      source === undefined
        ? 'Set DB_PASSWORD, or add a line to the password file (~/.pgpass), which only its owner may read.'
        : `Put the password into ${source}: postgres://user:password@host/database`,
    ];
  if (/does not support SSL/i.test(message))
    return [
      'TLS_FAILED',
      `The server at ${where} does not offer TLS, and ${source === undefined ? 'DB_SSL=true asks' : 'the configuration asks'} for it.`,
      `Turn TLS on at the server (ssl = on in postgresql.conf), or set DB_SSL=false${source === undefined ? '' : ` (without sslmode in ${source})`} for a server on a trusted network.`,
    ];
  if (named === 'EMFILE' || named === 'ENFILE')
    return [
      'CONNECTION_FAILED',
      `No connection to ${where} could be opened: too many files are open (${named}).`,
      'Raise the limit (ulimit -n), or lower --concurrency.',
    ];
  if (UNREACHABLE[named] !== undefined || /timeout/i.test(message)) {
    const why = UNREACHABLE[named] ?? 'no answer within the time allowed';
    return [
      'CONNECTION_FAILED',
      `Cannot reach PostgreSQL at ${where}: ${why}${named === '' ? '' : ` (${named})`}.`,
      `Check ${source ?? 'DB_HOST and DB_PORT'}, and that the server runs and accepts connections from here. To try tenantctl without a server, add --embedded.`,
    ];
  }
  return [
    'CONNECTION_FAILED',
    `Cannot connect to PostgreSQL at ${where}: ${message}`,
    `Check ${source ?? 'DB_HOST, DB_PORT'} and DB_SSL.`,
  ];
}

function tellRefusal(
  { code, message }: DatabaseError,
  where: string,
  { user, database, source }: Target,
): Told {
  switch (code) {
    case '28P01':
      return [
        'LOGIN_FAILED',
        `The server at ${where} refused the password of ${user}.`,
        source === undefined
          ? 'Check DB_USER and DB_PASSWORD.'
          : `Check user and password in ${source}. A special character of the password must be percent-encoded: @ as %40, : as %3A, % as %25.`,
      ];
    case '28000':
      return [
        'LOGIN_FAILED',
        `The server at ${where} does not let ${user} in: ${message}.`,
        /no encryption|SSL off/i.test(message)
          ? `The server requires TLS here: set DB_SSL=true${source === undefined ? '' : `, or sslmode=verify-full in ${source}`} (and DB_SSL_CERT_PATH if its certificate is signed by a private authority).`
          : `Check ${source ?? 'DB_USER'}, the server's pg_hba.conf, and DB_SSL_CLIENT_CERT_PATH if it requires a client certificate.`,
      ];
    case '42501':
      return [
        'CONNECTION_FAILED',
        `The server at ${where} does not let ${user} connect to the database "${database}": ${message}.`,
        `Let the role connect, as the owner of the database or a superuser: GRANT CONNECT ON DATABASE ${identifier(database)} TO ${identifier(user)};`,
      ];
    case '3D000':
      return [
        'DATABASE_MISSING',
        `There is no database "${database}" on ${where}.`,
        `Create it (CREATE DATABASE ${identifier(database)};) or correct ${source ?? 'DB_NAME'}.`,
      ];
    case '53300':
      return [
        'CONNECTION_FAILED',
        `The server at ${where} has no free connection: ${message}.`,
        'Wait, or raise max_connections. A run over the fleet needs fewer connections with a lower --concurrency.',
      ];
    case '08P01':
      return [
        'CONNECTION_FAILED',
        `The connection pooler at ${where} refused the connection: ${message}.`,
        /startup parameter/.test(message)
          ? 'tenantctl sends none of its own: unset PGOPTIONS, which the driver reads; or let the pooler ignore it (ignore_startup_parameters in PgBouncer), and then it has no effect.'
          : `The message is the pooler's, for itself or for the server behind it: look at its log, its databases and its limits. Check ${source ?? 'DB_HOST, DB_PORT, DB_USER and DB_NAME'}.`,
      ];
    default:
      return ['CONNECTION_FAILED', `The server at ${where} refused the connection: ${message}.`];
  }
}

function tlsHint(code: string, source: Target['source']): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `The certificate is for another host name: set ${source === undefined ? 'DB_HOST' : `the host in ${source}`} to a name that it contains.`;
  if (code === 'CERT_HAS_EXPIRED') return "The server's certificate has expired: renew it there.";
  if (code === 'CERT_NOT_YET_VALID') return "The server's certificate is not valid yet: check both clocks.";
  return /UNKNOWN_CA|CERTIFICATE_REQUIRED|BAD_CERTIFICATE/.test(code)
    ? 'The server refused the client certificate: check DB_SSL_CLIENT_CERT_PATH and DB_SSL_CLIENT_KEY_PATH.'
    : "The server's certificate is not signed by a known authority: set DB_SSL_CERT_PATH to the PEM file of the authority that signed it (ssl/README.md says where to get it).";
}

/** Converts a query's error: PostgreSQL's become DATABASE_ERROR, others INTERNAL. */
export function toDatabaseError(error: unknown, details: ErrorDetails = {}): TenantctlError {
  if (error instanceof TenantctlError) return error.with(details);
  if (isLoss(error) && isError(error)) return connectionLost(error).with(details);
  if (!(error instanceof DatabaseError)) return toTenantctlError(error).with(details);
  return new TenantctlError('DATABASE_ERROR', error.message, {
    ...details,
    sqlstate: error.code,
    hint: details.hint ?? serverHint(error.code, error.message),
    cause: error,
  });
}

/** What pg says when a connection has ended. Knex puts the SQL before it. */
const ENDED =
  /(?:^| - )(Connection terminated.*|Client (?:has encountered a connection error|was closed).*)$/s;

/** The server was shut down, crashed, or somebody ended the connection; the connection failed. */
const ENDED_STATES = /^(?:57P0[1235]|08(?:00[06]|P01))$/;

/** The server ended a session that sent nothing for too long. */
const IDLE_STATES = /^(?:25P03|57P05)$/;

/** An error that says that the connection was lost, whoever noticed it. */
export function connectionLost(error: Error): TenantctlError {
  const sqlstate = error instanceof DatabaseError ? error.code : undefined;
  const reason = ENDED.exec(error.message)?.[1] ?? error.message;
  const ofIdle = IDLE_STATES.test(sqlstate ?? '') ? serverHint(sqlstate, reason) : undefined;
  return new TenantctlError('DATABASE_ERROR', `The connection to the server was lost: ${reason}`, {
    sqlstate,
    hint:
      ofIdle ??
      'Nothing is half done: run the command again when the server can be reached, and the history decides what is due.',
    cause: error,
  });
}

/** Whether an error of a statement, or one made of it, means that the connection was lost. */
export function isLoss(error: unknown): boolean {
  const hasEnded = (sqlstate: string, message: string) =>
    ENDED_STATES.test(sqlstate) && !isProtocolViolation(sqlstate, message) && !NODE_AWAY.test(message);
  if (error instanceof TenantctlError)
    return (
      error.code === 'DATABASE_ERROR' &&
      (error.sqlstate === undefined || hasEnded(error.sqlstate, error.message))
    );
  if (error instanceof DatabaseError) return hasEnded(error.code ?? '', error.message);
  return isError(error) && ENDED.test(error.message);
}

/** For a call whose database was closed. @param cause the error that resulted */
export function databaseClosed(cause?: unknown): TenantctlError {
  return new TenantctlError('DATABASE_CLOSED', 'The database was closed, by close(), before this was done.', {
    hint: 'What was not committed is rolled back, and the same call finishes the job. Call close() when all calls have ended.',
    cause,
  });
}
