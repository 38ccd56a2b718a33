import type { Pool } from 'pg';
import { TenantctlError } from '../errors.ts';
import { openCalls, type Calls, type OpenTenantsOptions } from './calls.ts';
import { connectionsOf } from './connection-source.ts';
import { inLibraryTransaction } from './library-transaction.ts';
import type { TenantClient } from './tenant-client.ts';

/** A Drizzle of drizzle-orm/node-postgres. Its types are the application's. */
export interface AnyDrizzle<Tx> {
  readonly _: { readonly session: unknown };
  readonly $client: unknown;
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
}

/** What is used of Drizzle's session (drizzle-orm/node-postgres/session.js). */
interface Session<Tx> {
  readonly dialect: unknown;
  readonly schema: unknown;
  readonly options: { readonly logger?: unknown; readonly cache?: object };
  transaction<Result>(work: (tx: Tx) => Promise<Result>): Promise<Result>;
}

type SessionClass<Tx> = new (
  client: TenantClient,
  dialect: unknown,
  schema: unknown,
  options: Session<Tx>['options'],
) => Session<Tx>;

/** @throws TenantctlError USAGE if it is no Drizzle on a pool of pg */
export function openDrizzleCalls<Tx>(db: AnyDrizzle<Tx>, options: OpenTenantsOptions = {}): Calls<Tx> {
  const pool = db.$client as Partial<Pool> | undefined;
  const session = db._.session as Session<Tx>;
  if (typeof pool?.connect !== 'function' || typeof pool.totalCount !== 'number')
    throw new TenantctlError('USAGE', 'withTenant takes a Drizzle of node-postgres on a pool.', {
      hint: 'Pass what drizzle({ client: pool }) returned, and no transaction of it.',
    });
  const Session = session.constructor as SessionClass<Tx>;
  const { dialect, schema, options: settings } = session;
  const { cache } = settings;
  const own = cache === undefined ? settings : { ...settings, cache: withoutAnswers(cache) };
  return openCalls<Tx>(connectionsOf(pool as Pool), options, (client, work, _options, committed) =>
    inLibraryTransaction({ client, committed }, work, (connection, run) =>
      new Session(connection, dialect, schema, own).transaction(run),
    ),
  );
}

/** Drizzle's cache knows an answer by its SQL, which is the same for all tenants. It still learns what is written. */
function withoutAnswers(cache: object): object {
  return Object.assign(Object.create(cache) as object, {
    get: () => Promise.resolve(undefined),
    put: () => Promise.resolve(),
  });
}
