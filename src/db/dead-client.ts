/** Settings of the server by name: milliseconds, but for tcp_keepalives_idle and tcp_keepalives_interval, in seconds. */
export type ServerSettingValues = Readonly<Record<string, number>>;

/** Milliseconds between two looks of a busy backend at its client's socket. */
export const CLIENT_CHECK_INTERVAL_MS = 2_000;

/** Milliseconds that a transaction may wait for its client. */
export const IDLE_TIMEOUT_MS = 50_000;

/** Milliseconds that what the server has sent may remain unacknowledged. */
const TCP_USER_TIMEOUT_MS = 40_000;

/** Milliseconds between two signs of life in a transaction that only holds a lock; routers forget silent connections, too. */
export const SIGN_OF_LIFE_MS = 15_000;

/**
 * A string without a statement: the server begins anew to count how long its client has been idle, and takes no
 * snapshot. CREATE INDEX CONCURRENTLY that looked while SELECT 1 had its own would wait for that transaction to end.
 */
export const SIGN_OF_LIFE = '';

/** When the server asks whether a silent client's host is there: 40 s without an answer, and it is not. */
const KEEPALIVES = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 10,
  tcp_keepalives_count: 3,
} as const;

/** What is known of a server. */
export interface ServerFacts {
  /** As in server_version_num. */
  readonly serverVersion: number;
  /** As version() has it: the system it was built for is in it. */
  readonly build: string;
  /** All connections are one session (PGlite), and the socket is not the server's own. */
  readonly sharedSession: boolean;
}

/** client_connection_check_interval exists: PostgreSQL 14 and later, not on Windows, not in PGlite. */
function canCheckClient({ serverVersion, build, sharedSession }: ServerFacts): boolean {
  return serverVersion >= 140_000 && !isWindows(build) && !sharedSession;
}

/**
 * What makes a server notice within a minute that its client is gone, whatever it is doing at that time. Pure.
 *
 * - idle in a transaction: idle_in_transaction_session_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-client.html);
 * - busy, and the client was closed: client_connection_check_interval;
 * - busy, and the client's host has vanished without a word: TCP's keepalives find that the connection is broken, and
 *   client_connection_check_interval looks;
 * - sending what nobody acknowledges: tcp_user_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS).
 *
 * On a Unix socket those of TCP do nothing. A system that lacks one of them writes a line into the server's log each
 * time it is set, so it is set only where it is known.
 */
export function deadClientSettings(server: ServerFacts): ServerSettingValues {
  const { build, sharedSession } = server;
  return {
    idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
    ...(canCheckClient(server) && { client_connection_check_interval: CLIENT_CHECK_INTERVAL_MS }),
    ...(!sharedSession && !isWindows(build) && KEEPALIVES),
    ...(!sharedSession && /linux/i.test(build) && { tcp_user_timeout: TCP_USER_TIMEOUT_MS }),
  };
}

/** The statements that make these settings, for the transaction or for the session. */
export function setAll(settings: ServerSettingValues, extent: 'LOCAL' | 'SESSION'): string[] {
  return Object.entries(settings).map(([name, value]) => `SET ${extent} ${name} = ${value}`);
}

function isWindows(build: string): boolean {
  return /windows|mingw|visual c\+\+|msvc/i.test(build);
}
