import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { useOlderFiles } from '../../support/older-files.ts';
import { knexMigration } from '../../support/project.ts';
import { createTwins, type Twins } from '../../support/twins.ts';

useOlderFiles();

/** The rows of tags of each tenant that may be sent strings. */
async function tagsOf({ fleet, compiled }: Twins): Promise<number[][]> {
  const ask = (organization: string) =>
    fleet.query<{ id: number }>(`SELECT id FROM ${schemaNameFor(organization)}.tags ORDER BY id`);
  const all = await Promise.all(compiled.map(ask));
  return all.map((rows) => rows.map(({ id }) => id));
}

test('what a hook writes into the environment for each tenant, a migration reads for each tenant', async () => {
  const twins = await createTwins(5);
  const { fleet } = twins;
  await fleet.add(
    '3_reads.js',
    knexMigration(
      `await knex('tags').insert({ id: process.env.TENANTCTL_TEST_NAME === 'sent_003' ? 2 : 1 });`,
    ),
  );
  const hooks = join(fleet.project.folder, 'tenantctl.hooks.js');
  await fleet.project.write(
    'tenantctl.hooks.js',
    `export const beforeMigrate = ({ tenant }) => { process.env.TENANTCTL_TEST_NAME = tenant.clerkOrgId; };`,
  );
  onTestFinished(() => void delete process.env.TENANTCTL_TEST_NAME);
  const { totals } = await fleet.migrate({ tenants: twins.compiled, concurrency: 1, hooks });
  expect(totals).toMatchObject({ changed: 5, failed: 0 });
  expect(await tagsOf(twins)).toEqual([[1], [1], [1], [2], [1]]);
});

test('hooks that change nothing leave it at one tenant that shows what the process decides', async () => {
  const twins = await createTwins(4);
  const { fleet } = twins;
  await fleet.add(
    '3_reads.js',
    knexMigration(`await knex('tags').insert({ id: process.env.TENANTCTL_TEST_NONE ?? 1 });`),
  );
  const hooks = join(fleet.project.folder, 'tenantctl.hooks.js');
  await fleet.project.write(
    'tenantctl.hooks.js',
    `export const afterMigrate = ({ knex }) => knex.raw('ANALYZE tags');`,
  );
  const { totals } = await fleet.migrate({ tenants: twins.compiled, concurrency: 1, hooks });
  expect(totals).toMatchObject({ changed: 4, failed: 0 });
  expect(await twins.ways()).toEqual(['interactively', 'in one string', 'in one string', 'in one string']);
  expect(await tagsOf(twins)).toEqual([[1], [1], [1], [1]]);
});

test('what a migration changes in the process, or in a list of a shared module, tenants of another plan read as it is then', async () => {
  // Every second tenant has the migration that counts behind it.
  const twins = await createTwins(6, (nth) =>
    nth % 2 === 0
      ? `INSERT INTO knex_migrations_tenant (name, batch, migration_time) VALUES ('3_counts.js', 1, now())`
      : undefined,
  );
  const { fleet } = twins;
  await fleet.project.write('migrations/list.js', `export const list = [];`);
  await fleet.add(
    '3_counts.js',
    `import { list } from '../list.js';\n${knexMigration(
      `list.push(1); process.env.TENANTCTL_TEST_COUNT = String(list.length); await knex.raw('SELECT 1');`,
    )}`,
  );
  await fleet.add(
    '4_process.js',
    knexMigration(`await knex('tags').insert({ id: 100 + Number(process.env.TENANTCTL_TEST_COUNT ?? 0) });`),
  );
  await fleet.add(
    '5_module.js',
    `import { list } from '../list.js';\n${knexMigration(`await knex('tags').insert({ id: list.length });`)}`,
  );
  onTestFinished(() => void delete process.env.TENANTCTL_TEST_COUNT);
  const { totals } = await fleet.migrate({ tenants: twins.compiled, concurrency: 1 });
  expect(totals).toMatchObject({ changed: 6, failed: 0 });
  const counts = (await tagsOf(twins)).map(([ofModule = -1, ofProcess = -1]) => [ofModule, ofProcess - 100]);
  const counting = counts.filter((_, nth) => nth % 2 === 1);
  expect(counting).toEqual([
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  // Those of the other plan have come between, or after.
  for (const [ofModule, ofProcess] of counts) expect(ofModule).toBe(ofProcess);
});
