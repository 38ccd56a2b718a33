import type { ServerFacts } from './capabilities.ts';

/** Server settings by name, in milliseconds; tcp_keepalives_idle and tcp_keepalives_interval in seconds. */
export type ServerSettingValues = Readonly<Record<string, number>>;

/** Milliseconds between two checks of a busy backend that its client's socket is open. */
export const CLIENT_CHECK_INTERVAL_MS = 2_000;

/** Milliseconds that a transaction may wait for its client. */
export const IDLE_TIMEOUT_MS = 50_000;

/** Milliseconds that what the server has sent may remain unacknowledged. */
const TCP_USER_TIMEOUT_MS = 40_000;

/** The server probes the host of a silent client: 40 s without an answer, and it closes the connection. */
const KEEPALIVES = {
  tcp_keepalives_idle: 10,
  tcp_keepalives_interval: 10,
  tcp_keepalives_count: 3,
} as const;

/**
 * The settings with which a server notices within a minute that its client is gone, whatever it is doing then. Pure.
 *
 * - idle in a transaction: idle_in_transaction_session_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-client.html);
 * - busy, and the client was closed: client_connection_check_interval, from PostgreSQL 14 on, not on Windows;
 * - busy, and the client's host has vanished: TCP keepalives break the connection, and
 *   client_connection_check_interval notices;
 * - sending what nobody acknowledges: tcp_user_timeout
 *   (https://www.postgresql.org/docs/current/runtime-config-connection.html#RUNTIME-CONFIG-TCP-SETTINGS).
 *
 * On a Unix socket the TCP settings do nothing. A system that lacks one of them writes a line to the server's log each
 * time it is set, so it is set only where it is known to exist.
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
    ...(hasUnixSockets &&
      serverVersion >= 140_000 && { client_connection_check_interval: CLIENT_CHECK_INTERVAL_MS }),
    ...(hasUnixSockets && KEEPALIVES),
    ...(!sharedSession && /linux/i.test(build) && { tcp_user_timeout: TCP_USER_TIMEOUT_MS }),
  };
}

/** The statements that make these settings, for the transaction or for the session. */
export function setAll(settings: ServerSettingValues, extent: 'LOCAL' | 'SESSION'): string[] {
  return Object.entries(settings).map(([name, value]) => `SET ${extent} ${name} = ${value}`);
}
