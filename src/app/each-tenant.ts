import type { Pool } from 'pg';
import { hasStatus, registrySql } from '../core/registry/registry-sql.ts';
import { literal } from '../db/sql.ts';
import type { Names } from '../names.ts';
import type { CallOptions } from './call-sql.ts';
import { selectTenants, type FoundTenant } from './find-tenant.ts';
import type { TenantContext } from './admission.ts';
import type { Calls } from './calls.ts';
import { queryRaw } from './query-raw.ts';
import type { TenantClient } from './tenant-client.ts';

export interface EachOptions extends CallOptions {
  /** Tenants at the same time, each on a connection of the pool; 4 if absent. */
  readonly concurrency?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How the work for one tenant went. */
export type EachResult<Result> = TenantContext &
  ({ readonly ok: true; readonly result: Result } | { readonly ok: false; readonly error: unknown });

/** Rows of the registry that are read at once. */
const PAGE = 1000;

/** See openTenants. No transaction is open between two tenants. */
export async function* eachTenant<Result>(
  pool: Pool,
  names: Names,
  tenants: Pick<Calls<TenantClient>, 'run'>,
  work: (client: TenantClient, tenant: TenantContext) => Promise<Result>,
  { concurrency = 4, ...options }: EachOptions = {},
): AsyncGenerator<EachResult<Result>, void, undefined> {
  const running = new Map<string, Promise<EachResult<Result>>>();
  const next = async function* () {
    const result = await Promise.race(running.values());
    running.delete(result.clerkOrgId);
    yield result;
  };
  try {
    for await (const { clerkOrgId, schema } of activeTenants(pool, names)) {
      options.signal?.throwIfAborted();
      const tenant = { clerkOrgId, schema: schema ?? '' };
      const done = tenants
        .run(clerkOrgId, (client) => work(client, tenant), options)
        .then(
          (result) => ({ ...tenant, ok: true, result }) as const,
          (error: unknown) => ({ ...tenant, ok: false, error }) as const,
        );
      running.set(clerkOrgId, done);
      if (running.size >= concurrency) yield* next();
    }
    while (running.size > 0) yield* next();
  } finally {
    // The caller has left the loop: what is at work still ends.
    await Promise.all(running.values());
  }
}

/** In pages by the key: no snapshot is held meanwhile. */
async function* activeTenants(pool: Pool, names: Names): AsyncGenerator<FoundTenant, void, undefined> {
  const { organization, status } = registrySql(names);
  let after: string | undefined;
  for (;;) {
    const beyond = after === undefined ? '' : `AND t.${organization} > ${literal(after)}`;
    const page = await queryRaw<FoundTenant>(
      pool,
      `${selectTenants(names)} WHERE ${hasStatus(names, `t.${status}`, ['ACTIVE'])} ${beyond} ORDER BY t.${organization} LIMIT ${PAGE}`,
    );
    yield* page;
    after = page.at(-1)?.clerkOrgId;
    if (page.length < PAGE) return;
  }
}
