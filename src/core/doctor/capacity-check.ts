import { identifier } from '../../db/sql.ts';
import { BESIDE, DEFAULT_CONCURRENCY } from '../run/capacity.ts';
import { failed, ok, warning, type Verdict } from './check.ts';
import type { ServerFacts, ServerView } from './server-facts.ts';
import { counted } from '../../wording.ts';

/** Needs a connection per parallel tenant, one for the lease and one for non-transactional migrations. */
export function capacity(server: ServerView): Verdict {
  if (server.behindPooler) {
    const needed = server.direct === undefined ? 'two connections' : 'one connection';
    return ok(
      `the pooler assigns them: a run needs ${needed} at once, and waits if the pooler has none free`,
    );
  }
  const concurrency = server.concurrency ?? DEFAULT_CONCURRENCY;
  const needed = concurrency + BESIDE;
  const free = Math.max(0, server.capacity.free);
  const detail = `a concurrency of ${concurrency} needs ${counted(needed, 'connection')}; ${free} are free, of ${server.capacity.usable} that max_connections leaves`;
  if (free >= needed) return ok(detail);
  const more = `more, as a superuser: ${raise(server, needed - free)}`;
  const remedy = free > BESIDE ? `Use --concurrency ${free - BESIDE}. Or allow ${more}` : `Allow ${more}`;
  // By default, fewer tenants run in parallel if few connections are free; a requested number is refused.
  return server.concurrency !== undefined && concurrency > free
    ? failed(detail, remedy, 'CONCURRENCY_TOO_HIGH')
    : warning(detail, remedy);
}

/** SQL that raises the limit that was reached: the role's, the database's or the server's. */
function raise(server: ServerFacts, missing: number): string {
  const isReached = (limit: number, used: number) => limit >= 0 && limit - (used - 1) <= server.capacity.free;
  if (isReached(server.limitOfRole, server.usedOfRole))
    return `ALTER ROLE ${identifier(server.role)} CONNECTION LIMIT ${server.limitOfRole + missing};`;
  if (isReached(server.limitOfDatabase, server.usedOfDatabase))
    return `ALTER DATABASE ${identifier(server.database)} CONNECTION LIMIT ${server.limitOfDatabase + missing};`;
  return `ALTER SYSTEM SET max_connections = ${server.maxConnections + missing}; and restart the server.`;
}
