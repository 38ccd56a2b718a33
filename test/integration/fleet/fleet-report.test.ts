import { Client } from 'pg';
import { expect, test } from 'vitest';
import { fleetReport } from '../../../src/core/fleet/fleet-report.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';

const THREE = ['org_a', 'org_b', 'org_c'];
const read = ({ database, project }: TestFleet) =>
  fleetReport(database, { masterFolder: project.master, tenantFolder: project.tenants });

test('runs have the causes of their failures, and tenants their version, longest work and size', async () => {
  const fleet = await createFleet(THREE);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 10000)`);
  await fleet.add('3_slow.sql', '-- migrate:up\nSELECT pg_sleep(0.4) FROM (SELECT FROM notes LIMIT 1) n;');
  await fleet.migrate();
  await fleet.query(`INSERT INTO ${schemaNameFor('org_b')}.notes VALUES (7)`);
  await fleet.add('4_check.sql', '-- migrate:up\nALTER TABLE notes ADD CHECK (id < 0);');
  await fleet.migrate();

  const { runs, tenants, status, sizesNote } = await read(fleet);

  expect(sizesNote).toBeUndefined();
  expect(status.tenants).toMatchObject({ total: 3, upToDate: 1, failed: 2 });
  expect(runs.map(({ command }) => command)).toEqual([
    'migrate tenants',
    'migrate tenants',
    'tenant provision',
    'migrate master',
  ]);
  expect(runs.map(({ causes }) => causes.length)).toEqual([1, 0, 0, 0]);
  expect(runs[0]?.causes).toEqual([
    {
      message: expect.stringContaining('is violated by some row') as string,
      code: 'MIGRATION_FAILED',
      migration: '4_check.sql',
      tenants: 2,
      examples: ['org_a', 'org_b'],
    },
  ]);
  const [a, b, c] = tenants;
  expect(a).toMatchObject({ class: 'failed', version: '3_slow.sql', pending: 1 });
  expect(c).toMatchObject({ class: 'upToDate', version: '4_check.sql', pending: 0 });
  expect(a?.longest?.run).toBe(runs[1]?.id);
  expect(a?.longest?.durationMs).toBeGreaterThanOrEqual(400);
  const own = await fleet.query<{ bytes: string }>(
    `SELECT sum(pg_total_relation_size(oid)) AS bytes FROM pg_class
     WHERE relnamespace = '${schemaNameFor('org_a')}'::regnamespace AND relkind IN ('r', 'S')`,
  );
  expect(a?.bytes).toBe(Number(own[0]?.bytes));
  expect(a?.bytes).toBeGreaterThan(b?.bytes ?? 0);
});

test('a table that stays locked costs the sizes, and nothing else', async () => {
  const fleet = await createFleet(THREE);
  const other = new Client({ connectionString: fleet.testDatabase.url });
  await other.connect();
  try {
    await other.query(`BEGIN; LOCK TABLE ${schemaNameFor('org_a')}.notes`);
    const { tenants, sizesNote } = await read(fleet);
    expect(sizesNote).toContain('The sizes could not be measured: canceling statement due to lock timeout');
    expect(tenants.map(({ clerkOrgId, bytes }) => [clerkOrgId, bytes])).toEqual(
      THREE.map((organization) => [organization, undefined]),
    );
  } finally {
    await other.end();
  }
});
