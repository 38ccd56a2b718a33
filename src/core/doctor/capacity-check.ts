import { identifier } from '../../db/sql.ts';
import { BESIDE, DEFAULT_CONCURRENCY } from '../run/capacity.ts';
import { failed, ok, warning, type Check } from './check.ts';
import type { ServerFacts } from './server-facts.ts';
import { counted } from '../../wording.ts';

/**
 * Decides whether the server has the connections that a run needs: one per tenant in parallel, one that shows others
 * that the run is at work, and one for a migration outside a transaction. Pure.
 */
export function capacityCheck(server: ServerFacts, asked: number | undefined): Check {
  if (server.behindPooler) {
    const needed = server.direct === undefined ? 'two of them' : 'one of them';
    return ok(
      'capacity',
      `the pooler shares out its own: a run needs ${needed} at once, and who gets none waits in its queue`,
    );
  }
  const concurrency = asked ?? DEFAULT_CONCURRENCY;
  const needed = concurrency + BESIDE;
  const { usable } = server.capacity;
  const free = Math.max(0, server.capacity.free);
  const detail = `a concurrency of ${concurrency} needs ${counted(needed, 'connection')}; ${free} are free, of ${usable} that max_connections leaves`;
  if (free >= needed) return ok('capacity', detail);
  const remedy = [
    ...(free > BESIDE ? [`Use --concurrency ${free - BESIDE}.`] : []),
    `${free > BESIDE ? 'Or allow more' : 'Allow more'}, as a superuser: ${raise(server, needed - free)}`,
  ].join(' ');
  // By default fewer run if few connections are free; a number that was asked for is refused.
  return asked !== undefined && asked > free
    ? failed('capacity', detail, remedy, 'CONCURRENCY_TOO_HIGH')
    : warning('capacity', detail, remedy);
}

/** The statement that raises the limit in the way: the role's, the database's, or the server's. */
function raise(server: ServerFacts, missing: number): string {
  const { limits } = server;
  const free = server.capacity.free;
  const binds = (limit: number, used: number) => limit >= 0 && limit - (used - 1) <= free;
  if (binds(limits.ofRole, limits.usedOfRole)) {
    return `ALTER ROLE ${identifier(server.role)} CONNECTION LIMIT ${limits.ofRole + missing};`;
  }
  if (binds(limits.ofDatabase, limits.usedOfDatabase)) {
    return `ALTER DATABASE ${identifier(server.database)} CONNECTION LIMIT ${limits.ofDatabase + missing};`;
  }
  return `ALTER SYSTEM SET max_connections = ${limits.maxConnections + missing}; and restart the server.`;
}
