import { setTimeout as sleep } from 'node:timers/promises';
import type { PoolClient } from 'pg';
import { TenantctlError, toTenantctlError } from '../errors.ts';
import { readPlace, type Place } from './look-around.ts';
import { withClient } from './transaction.ts';
import type { Database } from './database.ts';

export const DIRECT_URL_REMEDY =
  'Set DB_DIRECT_URL to PostgreSQL itself, past the pooler (postgres://user:password@host:port/database): it is used for what needs a session.';

const CHECK_DIRECT_URL =
  'Check DB_DIRECT_URL: host, port, user and password of PostgreSQL itself, reachable from here.';

/** The lease, a lock, its migration outside a transaction, and one query. */
export const DIRECT_CONNECTIONS = 4;

/** Milliseconds to wait for a second connection that may be unavailable. */
const ATTEMPT_MS = 2_000;

/** How often one connection is asked which backend serves it. */
const LOOKS = 3;

interface Direct {
  /** @throws TenantctlError POOLER_UNSUPPORTED, DIRECT_URL_MISMATCH, and as `open` does */
  sessions(): Promise<Database>;
  also(deed: (database: Database) => Promise<void>): Promise<void>;
}

/** Opens the route past a pooler when first needed. @param open absent if no direct URL is set */
export function createDirect(
  pooled: () => Database,
  place: Place,
  open: (() => Promise<Database>) | undefined,
): Direct {
  let opened: Promise<Database> | undefined;
  return {
    async sessions() {
      if (open === undefined)
        throw new TenantctlError(
          'POOLER_UNSUPPORTED',
          'This needs a session of its own, and a connection pooler is in between.',
          { hint: DIRECT_URL_REMEDY },
        );
      opened ??= openDirect(pooled(), place, open).catch((error: unknown) => {
        opened = undefined;
        throw error;
      });
      return opened;
    },
    async also(deed) {
      await opened?.then(deed).catch(() => {});
    },
  };
}

async function openDirect(pooled: Database, place: Place, open: () => Promise<Database>): Promise<Database> {
  const direct = await open().catch((thrown: unknown) => {
    const error = toTenantctlError(thrown);
    throw new TenantctlError(error.code, `By way of DB_DIRECT_URL: ${error.message}`, {
      sqlstate: error.sqlstate,
      // The hint may be about DB_HOST.
      hint: error.code === 'TLS_FAILED' ? error.hint : CHECK_DIRECT_URL,
      cause: error,
    });
  });
  try {
    await checkDirect(pooled, place, direct);
    return direct;
  } catch (error) {
    await direct.close();
    throw error;
  }
}

/**
 * Checks that the direct URL leads to the pooler's server, and to sessions.
 * @param before where the pooler led when it was opened
 * @throws TenantctlError DIRECT_URL_MISMATCH
 */
async function checkDirect(pooled: Database, before: Place, direct: Database): Promise<void> {
  const found = await readPlace(direct);
  // The server may have been restarted since.
  const expected = before.started === found.started ? before : await readPlace(pooled);
  const differences: string[] = [];
  if (expected.started !== found.started) differences.push('another server');
  if (expected.oid !== found.oid || expected.name !== found.name)
    differences.push(`the database "${found.name}" and not "${expected.name}"`);
  if (expected.role !== found.role) differences.push(`the role "${found.role}" and not "${expected.role}"`);
  if (differences.length > 0)
    throw mismatch(
      `leads to ${differences.join(', ')}`,
      'It must lead to the server, the database and the role that the pooler leads to: what is created in both ways has one owner.',
    );
  if (direct.behindPooler && (await handsOn(direct)))
    throw mismatch(
      'leads to a connection pooler that does not keep sessions',
      'Let it lead to PostgreSQL itself, or to a pooler in session mode.',
    );
}

function mismatch(problem: string, hint: string): TenantctlError {
  return new TenantctlError('DIRECT_URL_MISMATCH', `DB_DIRECT_URL ${problem}.`, { hint });
}

/**
 * Whether a pooler switches backends between transactions: while a second client has a transaction open, the
 * first one's backend changes. If the second gets no connection while the first is idle, the pooler keeps
 * sessions.
 */
async function handsOn(database: Database): Promise<boolean> {
  return withClient(database, async (first) => {
    const before = await pidOf(first);
    const lookBeside = async (second: PoolClient): Promise<boolean> => {
      const begun = second.query('BEGIN').then(() => true);
      if (!(await Promise.race([begun, sleep(ATTEMPT_MS, false)]))) {
        begun.catch(() => {});
        await second.end();
        return false;
      }
      let isMoved = false;
      for (let look = 0; look < LOOKS; look += 1) isMoved ||= (await pidOf(first)) !== before;
      await second.query('ROLLBACK');
      return isMoved;
    };
    return withClient(database, lookBeside, { purpose: 'aside' });
  });
}

async function pidOf(client: PoolClient): Promise<number | undefined> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  return rows[0]?.pid;
}
