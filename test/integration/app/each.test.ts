import { expect, test } from 'vitest';
import { createApplication, setStatus, WHO } from '../../support/application.ts';

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

test('each yields how it went for every ACTIVE tenant, failures among them, so many at once', async () => {
  const application = await createApplication({ pool: { max: 3 } }, FIVE);
  await setStatus(application, 'org_d', 'SUSPENDED');
  let running = 0;
  let most = 0;
  const results: string[] = [];
  for await (const result of application.tenants.each(
    async (client, { clerkOrgId }) => {
      most = Math.max(most, (running += 1));
      await client.query('SELECT pg_sleep(0.1)');
      running -= 1;
      const { rows } = await client.query<{ org: string }>(clerkOrgId === 'org_b' ? 'SELECT 1 / 0' : WHO);
      return rows[0]?.org;
    },
    { concurrency: 2 },
  ))
    results.push(
      `${result.clerkOrgId} ${result.ok ? result.result : (result.error as { code: string }).code}`,
    );
  expect(results.toSorted()).toEqual(['org_a org_a', 'org_b 22012', 'org_c org_c', 'org_e org_e']);
  expect(most).toBe(2);
});

test('with one at a time the order is that of the organizations; what changes meanwhile is seen', async () => {
  const application = await createApplication({}, FIVE);
  const seen: unknown[] = [];
  for await (const { clerkOrgId, ...result } of application.tenants.each((client) => client.query(WHO), {
    concurrency: 1,
  })) {
    seen.push([clerkOrgId, result.ok ? 'ok' : (result.error as { code: unknown }).code]);
    if (clerkOrgId === 'org_b') await setStatus(application, 'org_d', 'SUSPENDED');
  }
  expect(seen).toEqual([
    ['org_a', 'ok'],
    ['org_b', 'ok'],
    ['org_c', 'ok'],
    ['org_d', 'TENANT_NOT_ACTIVE'],
    ['org_e', 'ok'],
  ]);
});

test('a loop that is left begins nothing more, and what has begun ends first; a signal stops the loop', async () => {
  const { tenants, pool } = await createApplication({ pool: { max: 2 } }, FIVE);
  const ended: string[] = [];
  let begun = 0;
  for await (const _ of tenants.each(
    async (client, { clerkOrgId }) => {
      begun += 1;
      await client.query('SELECT pg_sleep(0.05)');
      ended.push(clerkOrgId);
    },
    { concurrency: 2 },
  ))
    break;
  expect(ended).toHaveLength(begun);
  expect(begun).toBeLessThan(FIVE.length);
  expect(pool.idleCount).toBe(pool.totalCount);
  const controller = new AbortController();
  const loop = async () => {
    for await (const _ of tenants.each(() => Promise.resolve(), {
      concurrency: 1,
      signal: controller.signal,
    }))
      controller.abort(new Error('enough'));
  };
  await expect(loop()).rejects.toThrow('enough');
});

test('each goes through more tenants than it reads at once', async () => {
  const { query, tenants } = await createApplication({ pool: { max: 4 } }, ['org_a']);
  await query(`INSERT INTO tenants (clerk_org_id, schema_name, status)
    SELECT 'many_' || n, 'many_' || n, 'ACTIVE' FROM generate_series(1, 2000) n`);
  const seen = new Set<string>();
  for await (const { clerkOrgId } of tenants.each(() => Promise.resolve())) seen.add(clerkOrgId);
  expect(seen.size).toBe(2001);
});
