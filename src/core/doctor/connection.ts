import type { TenantctlError } from '../../errors.ts';
import { identifier } from '../../db/sql.ts';
import type { DatabaseSettings, ServerSettings } from '../../db/database.ts';
import type { Attempt } from './attempt.ts';
import { capacity } from './capacity-check.ts';
import {
  failed,
  judge,
  judgeAttempt,
  ok,
  refused,
  skipAll,
  skipped,
  warning,
  type Check,
  type CheckTable,
  type Verdict,
} from './check.ts';
import type { ServerFacts, ServerView } from './server-facts.ts';
import { certificate, tls } from './tls-checks.ts';

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

const CONNECTION: CheckTable<Verdict> = { connection: ['Connection', (verdict) => verdict] };

const ANY_SERVER: CheckTable<ServerFacts> = {
  'server-version': ['Server version', ({ version }) => ok(`PostgreSQL ${version}`)],
  'read-write': ['Primary server', readWrite],
};

const REMOTE_SERVER: CheckTable<ServerView> = {
  pooler: ['Pooler', pooler],
  'direct-url': ['Direct URL', directUrl],
  tls: ['TLS', tls],
  certificate: ['Certificate', certificate],
  capacity: ['Connections', capacity],
};

const SERVER = { ...ANY_SERVER, ...REMOTE_SERVER };

export function connectionChecks(
  facts: ConnectionFacts,
  { concurrency, now }: Pick<ServerView, 'concurrency' | 'now'>,
): Check[] {
  if (facts.kind === 'not-configured')
    return skipAll({ ...CONNECTION, ...SERVER }, 'the configuration has to be corrected first');
  const { settings } = facts;
  if (facts.kind === 'refused') {
    const { error } = facts;
    if (error.code === 'SERVER_UNSUPPORTED') {
      return [
        ...judge(CONNECTION, ok(where(settings))),
        ...skipAll(SERVER, 'the server is too old', refused(error)),
      ];
    }
    const refusal = failed(error.message, connectionRemedy(error, settings), error.code);
    return [...judge(CONNECTION, refusal), ...skipAll(SERVER, 'there is no connection')];
  }
  const connected = judge(CONNECTION, ok(`${where(settings)}, in ${facts.durationMs} ms`));
  if (settings.kind === 'server')
    return [...connected, ...judgeAttempt(SERVER, facts.server, { settings, concurrency, now })];
  return [
    ...connected,
    ...judgeAttempt(ANY_SERVER, facts.server, {}),
    ...skipAll(REMOTE_SERVER, 'does not apply to the embedded database'),
  ];
}

function where(settings: DatabaseSettings): string {
  return settings.kind === 'embedded'
    ? `embedded, in ${settings.directory ?? 'memory'}`
    : `${settings.user} at ${settings.host}:${settings.port}/${settings.database}`;
}

function readWrite(server: ServerFacts): Verdict {
  if (!server.readOnly) return ok('a primary server, and writable');
  if (server.isStandby) {
    return failed(
      'the server is a standby: it cannot be written to',
      'Connect to the primary server instead.',
      'SERVER_READ_ONLY',
    );
  }
  const [database, role] = [identifier(server.database), identifier(server.role)];
  const variable = 'default_transaction_read_only';
  // Read-write, or the setting would prevent its own removal.
  const reset = (what: string) => `BEGIN READ WRITE; ALTER ${what} RESET ${variable}; COMMIT;`;
  const remedies: Readonly<Record<string, string>> = {
    database: reset(`DATABASE ${database}`),
    user: reset(`ROLE ${role}`),
    'database user': reset(`ROLE ${role} IN DATABASE ${database}`),
  };
  const ofServer = `ALTER SYSTEM SET ${variable} = off; SELECT pg_reload_conf(); -- as a superuser`;
  return failed(`${variable} is on`, remedies[server.readOnlySource ?? ''] ?? ofServer, 'SERVER_READ_ONLY');
}

function pooler({ settings, behindPooler, direct, address, port }: ServerView): Verdict {
  if (!behindPooler) return ok('none: the connection leads to PostgreSQL itself');
  const found = 'the connection leads to a connection pooler';
  if (direct !== undefined) return ok(`${found}; what needs a session uses DB_DIRECT_URL`);
  const [user, database] = [settings.user, settings.database].map(encodeURIComponent);
  const host = address ?? '<the host of PostgreSQL>';
  return warning(
    `${found}: migrations with transaction: false are refused, and a run takes two of its connections at once`,
    `Set DB_DIRECT_URL=postgres://${user}:${passwordOf(settings)}@${host.includes(':') ? `[${host}]` : host}:${port}/${database}`,
  );
}

function directUrl({ settings, direct }: ServerView): Verdict {
  if (settings.direct === undefined || direct === undefined) return skipped('DB_DIRECT_URL is not set');
  if (direct.error !== undefined) return refused(direct.error);
  const place = `${where({ ...settings.direct, kind: 'server' })}: the same database`;
  return ok(direct.facts.behindPooler ? `${place}, through a pooler that may share sessions` : place);
}

/** Stands for the password, which is never shown. */
function passwordOf({ source }: ServerSettings): string {
  return source === undefined ? '<the value of DB_PASSWORD>' : `<the password of ${source}>`;
}

export function connectionRemedy(error: TenantctlError, settings: DatabaseSettings): string {
  const usual = error.hint ?? 'Correct what the message says.';
  if (settings.kind === 'embedded') return usual;
  const [role, database] = [identifier(settings.user), identifier(settings.database)];
  const password = `PASSWORD '${passwordOf(settings)}'`;
  if (error.code === 'DATABASE_MISSING')
    return `CREATE DATABASE ${database} OWNER ${role}; -- as a superuser; or correct ${settings.source ?? 'DB_NAME'}`;
  switch (error.sqlstate) {
    case '28P01':
      return `${settings.source === undefined ? 'Correct DB_USER and DB_PASSWORD.' : usual} Or give the role that password, as a superuser: ALTER ROLE ${role} ${password}; (if it does not exist: CREATE ROLE ${role} LOGIN ${password};)`;
    case '28000':
      if (/role .* does not exist/.test(error.message))
        return `CREATE ROLE ${role} LOGIN; -- as a superuser, with ${password} if the server asks for one`;
      return /not permitted to log in/.test(error.message)
        ? `ALTER ROLE ${role} LOGIN; -- as a superuser`
        : usual;
    case '42501':
      return `GRANT CONNECT ON DATABASE ${database} TO ${role}; -- as its owner or a superuser`;
    default:
      return usual;
  }
}
