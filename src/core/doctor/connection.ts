import type { TenantctlError } from '../../errors.ts';
import type { Attempt } from './attempt.ts';
import type { ServerFacts } from './server-facts.ts';
import type { DatabaseSettings } from '../../db/database.ts';
import { identifier } from '../../db/sql.ts';
import { failed, ok, skipAll, skipped, unknown, warning, type Check, type CheckId } from './check.ts';
import { capacityCheck } from './capacity-check.ts';
import { tlsChecks } from './tls-checks.ts';

/** Whether there is a connection. */
export type ConnectionFacts =
  | { readonly kind: 'not-configured' }
  | { readonly kind: 'refused'; readonly settings: DatabaseSettings; readonly error: TenantctlError }
  | {
      readonly kind: 'open';
      readonly settings: DatabaseSettings;
      /** Milliseconds to connect and log in. */
      readonly durationMs: number;
      readonly server: Attempt<ServerFacts>;
    };

const BEHIND_CONNECTION: readonly CheckId[] = [
  'server-version',
  'read-write',
  'pooler',
  'direct-url',
  'tls',
  'certificate',
  'capacity',
];

/**
 * The checks of the connection and the server. Pure.
 * @param concurrency the number of tenants in parallel, if somebody asked for one
 * @param now the time that the certificate's expiry is compared with
 */
export function connectionChecks(
  facts: ConnectionFacts,
  concurrency: number | undefined,
  now: Date,
): Check[] {
  switch (facts.kind) {
    case 'not-configured':
      return skipAll(['connection', ...BEHIND_CONNECTION], 'the configuration has to be put right first');
    case 'refused': {
      const { error, settings } = facts;
      if (error.code === 'SERVER_UNSUPPORTED') {
        const [version, ...others] = BEHIND_CONNECTION;
        return [
          ok('connection', where(settings)),
          ...(version === undefined ? [] : [unknown(version, error)]),
          ...skipAll(others, 'the server is too old'),
        ];
      }
      return [
        failed('connection', error.message, connectionRemedy(error, settings), error.code),
        ...skipAll(BEHIND_CONNECTION, 'there is no connection'),
      ];
    }
    case 'open': {
      const { settings, server, durationMs } = facts;
      const connected = ok('connection', `${where(settings)}, in ${durationMs} ms`);
      if (server.facts === undefined) {
        const [version, ...others] = BEHIND_CONNECTION;
        return [
          connected,
          ...(version === undefined ? [] : [unknown(version, server.error)]),
          ...skipAll(others, 'the server did not tell about itself'),
        ];
      }
      return [
        connected,
        ok('server-version', `PostgreSQL ${server.facts.version}`),
        readWriteCheck(server.facts),
        poolerCheck(settings, server.facts),
        directCheck(settings, server.facts),
        ...tlsChecks(settings, server.facts, now),
        settings.kind === 'embedded'
          ? skipped('capacity', 'does not apply to the embedded database: it is one session')
          : capacityCheck(server.facts, concurrency),
      ];
    }
  }
}

function where(settings: DatabaseSettings): string {
  return settings.kind === 'embedded'
    ? `embedded, in ${settings.directory}`
    : `${settings.user} at ${settings.host}:${settings.port}/${settings.database}`;
}

function readWriteCheck(server: ServerFacts): Check {
  if (!server.readOnly) return ok('read-write', 'not a standby, and may be written to');
  if (server.isStandby) {
    return failed(
      'read-write',
      'the server is a standby: nothing can be written there',
      'Set DB_HOST (and DB_PORT) to the primary server.',
      'SERVER_READ_ONLY',
    );
  }
  const [database, role] = [identifier(server.database), identifier(server.role)];
  const variable = 'default_transaction_read_only';
  // In a transaction that may write: otherwise the setting forbids its own removal.
  const reset = (what: string) => `BEGIN READ WRITE; ALTER ${what} RESET ${variable}; COMMIT;`;
  const remedies: Readonly<Record<string, string>> = {
    database: reset(`DATABASE ${database}`),
    user: reset(`ROLE ${role}`),
    'database user': reset(`ROLE ${role} IN DATABASE ${database}`),
  };
  return failed(
    'read-write',
    `${variable} is on`,
    remedies[server.readOnlySource ?? ''] ??
      `ALTER SYSTEM SET ${variable} = off; SELECT pg_reload_conf(); -- as a superuser`,
    'SERVER_READ_ONLY',
  );
}

function poolerCheck(settings: DatabaseSettings, server: ServerFacts): Check {
  if (settings.kind === 'embedded') return skipped('pooler', 'does not apply to the embedded database');
  if (!server.behindPooler) return ok('pooler', 'none: the server itself answers');
  const found = 'a connection pooler answers in the place of the server';
  if (server.direct !== undefined)
    return ok('pooler', `${found}; what needs a session goes by way of DB_DIRECT_URL`);
  const [user, database] = [settings.user, settings.database].map(encodeURIComponent);
  const host = server.address ?? '<the host of PostgreSQL>';
  return warning(
    'pooler',
    `${found}: migrations with transaction: false are refused, and a run takes two of its connections at once`,
    `Set DB_DIRECT_URL=postgres://${user}:<the value of DB_PASSWORD>@${host.includes(':') ? `[${host}]` : host}:${server.port}/${database}`,
  );
}

function directCheck(settings: DatabaseSettings, server: ServerFacts): Check {
  if (settings.kind === 'embedded' || settings.direct === undefined || server.direct === undefined)
    return skipped('direct-url', 'DB_DIRECT_URL is not set');
  const { facts, error } = server.direct;
  if (facts === undefined) return unknown('direct-url', error);
  const { user, host, port, database } = settings.direct;
  const place = `${user} at ${host}:${port}/${database}: the same database`;
  return ok(
    'direct-url',
    facts.behindPooler ? `${place}, through a pooler that was not seen to hand sessions on` : place,
  );
}

/** What to do about a failed connection, with the real names. Pure. */
export function connectionRemedy(error: TenantctlError, settings: DatabaseSettings): string {
  const usual = error.hint ?? 'Put right what the message says, then run tenantctl doctor again.';
  if (settings.kind === 'embedded') return usual;
  const [role, database] = [identifier(settings.user), identifier(settings.database)];
  if (error.code === 'DATABASE_MISSING') {
    return `CREATE DATABASE ${database} OWNER ${role}; -- as a superuser; or correct DB_NAME`;
  }
  switch (error.sqlstate) {
    case '28P01':
      return `Correct DB_USER and DB_PASSWORD. Or give the role that password, as a superuser: ALTER ROLE ${role} PASSWORD '<the value of DB_PASSWORD>'; (where it does not exist: CREATE ROLE ${role} LOGIN PASSWORD '<the value of DB_PASSWORD>';)`;
    case '28000':
      if (/role .* does not exist/.test(error.message)) {
        return `CREATE ROLE ${role} LOGIN; -- as a superuser, with PASSWORD '<the value of DB_PASSWORD>' where one is asked for`;
      }
      return /not permitted to log in/.test(error.message)
        ? `ALTER ROLE ${role} LOGIN; -- as a superuser`
        : usual;
    case '42501':
      return `GRANT CONNECT ON DATABASE ${database} TO ${role}; -- as its owner or a superuser`;
    default:
      return usual;
  }
}
