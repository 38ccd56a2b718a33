import { AsyncLocalStorage } from 'node:async_hooks';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Pool } from 'pg';
import { poolOfOne } from './pool-of-one.ts';
import type { TenantClient } from './tenant-client.ts';

/**
 * The schema that Prisma writes before the tables of a client with a `tenantAdapter`. The adapter replaces it.
 * A model of a datasource with `schemas` has it as `@@schema`.
 */
export const TENANT_SCHEMA = '__tenant__';

type Factory = Pick<PrismaPg, 'provider' | 'adapterName' | 'connect'>;
type Adapter = Awaited<ReturnType<PrismaPg['connect']>>;
type Queryable = Pick<Adapter, 'queryRaw' | 'executeRaw'>;
type Query = Parameters<Adapter['queryRaw']>[0];
type AdapterClass = new (pool: unknown, options: object) => Adapter;

/** The client of the call that begins a transaction of Prisma here, until Prisma has taken it. */
const beginning = new AsyncLocalStorage<{ client: TenantClient | undefined }>();

/** The next transaction that Prisma begins within this is on the client. */
export function beginOn<Result>(
  client: TenantClient,
  begin: (isTaken: () => boolean) => Promise<Result>,
): Promise<Result> {
  const call = { client: client as TenantClient | undefined };
  return beginning.run(call, () => begin(() => call.client === undefined));
}

/**
 * Prisma's adapter for pg (@prisma/adapter-pg), with which `withTenant` works. Prisma qualifies every table with one
 * schema for the whole client, so a search path alone chooses nothing. Within `withTenant` the names are sent without
 * a schema; else with `schema`.
 * @param pool the application's own pool of pg; it stays the application's
 */
export function tenantAdapter(pool: Pool, { schema = 'public' }: { readonly schema?: string } = {}): Factory {
  const options = { schema: TENANT_SCHEMA };
  const factory = new PrismaPg(pool, options);
  const qualifier = `"${schema.replaceAll('"', '""')}".`;
  return {
    provider: factory.provider,
    adapterName: factory.adapterName,
    async connect() {
      const adapter = await factory.connect();
      const Adapter = adapter.constructor as AdapterClass;
      const startTransaction: Adapter['startTransaction'] = async (isolation) => {
        const call = beginning.getStore();
        if (call?.client === undefined)
          return qualified(await adapter.startTransaction(isolation), qualifier);
        const one = poolOfOne(call.client);
        call.client = undefined;
        return qualified(await new Adapter(one, options).startTransaction(isolation), '');
      };
      return Object.assign(qualified(adapter, qualifier), { startTransaction });
    },
  };
}

/** Sends the statements with another qualifier before their tables. */
function qualified<Target extends Queryable>(target: Target, qualifier: string): Target {
  const replaced = (query: Query) => ({
    ...query,
    sql: query.sql.replaceAll(`"${TENANT_SCHEMA}".`, () => qualifier),
  });
  return Object.assign(Object.create(target) as Target, {
    queryRaw: (query: Query) => target.queryRaw(replaced(query)),
    executeRaw: (query: Query) => target.executeRaw(replaced(query)),
  });
}
