import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { TenantctlError } from '../errors.ts';
import { toDatabaseError } from './database-error.ts';
import { cancelKeyOf, passwordOf } from './pg-internals.ts';
import { refuseStatementMode } from './pooler.ts';
import { PLACE, type Place } from './place.ts';

interface LookRow extends Place {
  readonly num: number;
  readonly text: string;
  readonly build: string;
  readonly pid: number;
  readonly read_only: boolean;
}

const LOOK = `SELECT current_setting('server_version_num')::int AS num, current_setting('server_version') AS text,
  version() AS build, pg_backend_pid() AS pid,
  pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only, ${PLACE}`;

/** What answers at the other end of a connection. `place` is where it is, to be compared with another. */
export interface Surroundings {
  readonly serverVersion: number;
  readonly serverVersionText: string;
  readonly readOnly: boolean;
  readonly behindPooler: boolean;
  /** As version() has it. */
  readonly build: string;
  /** The password that was used, wherever the driver had it from. */
  readonly password: string | undefined;
  readonly place: Place;
}

/**
 * Looks at what answers on the first connection.
 * @throws TenantctlError CONNECTION_FAILED where nobody does in time, POOLER_UNSUPPORTED, DATABASE_ERROR
 */
export async function lookAround(
  client: PoolClient,
  server: { readonly host: string; readonly port: number; readonly connectTimeoutMs: number },
  sharedSession: boolean,
): Promise<Surroundings> {
  try {
    const { rows } = await withinTime(client.query<LookRow>(LOOK), server);
    const [seen] = rows;
    if (seen === undefined) throw new Error('the server did not say which version it is');
    // A pooler hands out process ids of its own, so its idea of the backend differs from the backend's.
    const behindPooler = !sharedSession && cancelKeyOf(client).processID !== seen.pid;
    if (behindPooler) await refuseStatementMode(client);
    const { started, oid, name, role } = seen;
    return {
      serverVersion: seen.num,
      serverVersionText: seen.text,
      readOnly: seen.read_only,
      behindPooler,
      build: seen.build,
      password: passwordOf(client),
      place: { started, oid, name, role },
    };
  } catch (error) {
    throw toDatabaseError(error);
  }
}

/** A pooler lets everybody in, and answers when it has a connection to the server to spare. */
async function withinTime<T>(
  answer: Promise<T>,
  { host, port, connectTimeoutMs }: Parameters<typeof lookAround>[1],
): Promise<T> {
  if (connectTimeoutMs === 0) return answer;
  answer.catch(() => {});
  const over = new AbortController();
  const late = sleep(connectTimeoutMs, 'late' as const, { signal: over.signal });
  late.catch(() => {});
  try {
    const first = await Promise.race([answer, late]);
    if (first !== 'late') return first;
  } finally {
    over.abort();
  }
  throw new TenantctlError(
    'CONNECTION_FAILED',
    `${host}:${port} let us in, and has not answered within ${Math.ceil(connectTimeoutMs / 1000)} s.`,
    {
      hint: 'Where a connection pooler is in between, all its connections to the server may be in use: allow more (default_pool_size in PgBouncer), try again later, or allow more time with CONNECT_TIMEOUT_MS.',
    },
  );
}
