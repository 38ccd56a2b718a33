import type { ServerFacts } from './capabilities.ts';

/** Server settings in milliseconds; tcp_keepalives_idle and tcp_keepalives_interval in seconds. */
export type ServerSettingValues = Readonly<Record<string, number>>;

/** Milliseconds between a busy backend's checks that the client's socket is open. */
const CLIENT_CHECK_INTERVAL_MS = 2_000;

/** Milliseconds that a transaction may wait for its client. */
export const IDLE_TIMEOUT_MS = 50_000;

/** Milliseconds that sent data may remain unacknowledged. */
const TCP_USER_TIMEOUT_MS = 40_000;

/** The server probes a silent client's host and closes the connection after 40 s without an answer. */
const KEEPALIVES = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 10,
  tcp_keepalives_count: 3,
} as const;

/**
 * The settings that make a server notice within a minute that its client is gone. Pure.
 *
 * - idle in a transaction: idle_in_transaction_session_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-client.html);
 * - busy, client closed: client_connection_check_interval, since PostgreSQL 14, not on Windows;
 * - busy, host vanished: TCP keepalives break the connection, client_connection_check_interval notices;
 * - sending: tcp_user_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS).
 *
 * transaction_timeout (PostgreSQL 17) is off: it would end the connection of a migration at work, whose limit is
 * statement_timeout, and of a transaction that only keeps a lock.
 *
 * The TCP settings have no effect on a Unix socket. Systems that lack one log a line each time it is set, so
 * it is set only where known to exist.
 */
export function deadClientSettings({
  serverVersion,
  build,
  sharedSession,
}: Pick<ServerFacts, 'serverVersion' | 'build' | 'sharedSession'>): ServerSettingValues {
  const isWindows = /windows|mingw|visual c\+\+|msvc/i.test(build);
  const hasUnixSockets = !sharedSession && !isWindows;
  return {
    idle_in_transaction_session_timeout: IDLE_TIMEOUT_MS,
    ...(serverVersion >= 170_000 && { transaction_timeout: 0 }),
    ...(hasUnixSockets &&
      serverVersion >= 140_000 && { client_connection_check_interval: CLIENT_CHECK_INTERVAL_MS }),
    ...(hasUnixSockets && KEEPALIVES),
    ...(!sharedSession && /linux/i.test(build) && { tcp_user_timeout: TCP_USER_TIMEOUT_MS }),
  };
}

/**
 * A statement for a transaction that waits for a stream, which may take its time while nobody reads from the connection.
 * The server still notices by keepalives that its client is gone. Between its statements, keepingLock keeps it alive.
 */
export function waitForStream(settings: ServerSettingValues): string {
  return 'tcp_user_timeout' in settings ? 'SET LOCAL tcp_user_timeout = 0' : '';
}

/** SET statements for the transaction or the session. */
export function setAll(
  settings: Readonly<Record<string, number | string>>,
  extent: 'LOCAL' | 'SESSION',
): string[] {
  return Object.entries(settings).map(([name, value]) => `SET ${extent} ${name} = ${value}`);
}
