import { Pool, type PoolConfig } from 'pg';
import { onTestFinished } from 'vitest';
import { openTenants, type Tenants } from '../../src/app/tenants.ts';
import type { OpenTenantsOptions } from '../../src/app/calls.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from './fleet.ts';

/** An application with tenants that each have a table `who` with their organization. `public` has one, too. */
export interface Application {
  readonly fleet: TestFleet;
  readonly pool: Pool;
  readonly tenants: Tenants;
  readonly query: TestFleet['query'];
}

export interface ApplicationOptions extends OpenTenantsOptions {
  readonly pool?: PoolConfig;
}

export const TWO = ['org_a', 'org_b'];

/** Call it in a test. One connection serves all calls, unless `pool` says otherwise. */
export async function createApplication(
  { pool: config, ...options }: ApplicationOptions = {},
  organizations: readonly string[] = TWO,
): Promise<Application> {
  const fleet = await createFleet(organizations);
  await addWho(fleet, organizations);
  const pool = openPool({ connectionString: fleet.testDatabase.url, max: 1, ...config });
  return { fleet, pool, tenants: openTenants(pool, options), query: fleet.query };
}

/** A pool that ends with the test. */
export function openPool(config: PoolConfig): Pool {
  const pool = new Pool(config);
  pool.on('error', () => {});
  onTestFinished(() => pool.end());
  return pool;
}

export async function addWho(
  fleet: Pick<TestFleet, 'query'>,
  organizations: readonly string[],
): Promise<void> {
  const tables = [...organizations.map((org) => [schemaNameFor(org), org]), ['public', 'public']].map(
    ([schema, org]) => `CREATE TABLE ${schema}.who (org text); INSERT INTO ${schema}.who VALUES ('${org}');`,
  );
  await fleet.query(tables.join('\n'));
}

export const WHO = 'SELECT org FROM who';

/** Whose rows a call reads. */
export async function whoIs(tenants: Pick<Tenants, 'run'>, org: string): Promise<string> {
  return tenants.run(org, async (client) =>
    (await client.query<{ org: string }>(WHO)).rows.map((row) => row.org).join(),
  );
}

export function setStatus({ query }: Pick<TestFleet, 'query'>, org: string, status: string) {
  return query('UPDATE tenants SET status = $2 WHERE clerk_org_id = $1', [org, status]);
}

/** The code of the error that a call fails with; what it returns if it does not. */
export function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error: { code?: unknown }) => error.code);
}
