import { mkdir, rename, rm } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable, knexMigration, usualProject } from '../../support/project.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

/** Begins a run, and calls `change` while the first tenant's migration is at work. */
async function changeDuringRun(fleet: TestFleet, change: () => Promise<void>) {
  await fleet.add('3_gate.sql', `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE gate ();`);
  await fleet.add('4_links.js', knexMigration(`await knex.raw('CREATE TABLE links ()');`));
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ concurrency: 1 });
  await gate.reached();
  await change();
  await gate.open();
  return run;
}

async function warningsOf(fleet: TestFleet) {
  const warnings: string[] = [];
  const { totals } = await fleet.migrate({
    observe: (event: RunEvent) => event.type === 'warning' && warnings.push(event.message),
  });
  return { totals, warnings };
}

test('a folder that is emptied during a run has no effect on it, nor on what it keeps of the files', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { tenants: folder } = fleet.project;
  const aside = `${folder}-aside`;
  const { totals } = await changeDuringRun(fleet, async () => {
    await rename(folder, aside);
    await mkdir(folder);
  });
  expect(totals).toMatchObject({ changed: 3, failed: 0 });
  await rm(folder, { recursive: true });
  await rename(aside, folder);
  expect(await warningsOf(fleet)).toMatchObject({ totals: { upToDate: 3 }, warnings: [] });
  expect(await fleet.query('SELECT count(*)::int AS n FROM tenantctl.migration_files')).toEqual([{ n: 5 }]);
});

test('a file that is edited during a run is applied as it was, and the next run warns of the edit', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const { totals } = await changeDuringRun(fleet, () => fleet.add('4_links.js', 'export const up = 1;'));
  expect(totals).toMatchObject({ changed: 3, failed: 0 });
  for (const id of ORGANIZATIONS) expect(await fleet.tables(id)).toContain('links');
  const { warnings } = await warningsOf(fleet);
  expect(warnings).toEqual([expect.stringContaining('Edited after it was applied: 4_links.js')]);
});

test('the hint of a migration that fails does not need its file', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('2_wait.sql', `-- migrate:up\n${WAIT_AT_GATE}`);
  await fleet.add(
    '2_wait_index.js',
    knexMigration(`await knex.raw('CREATE INDEX CONCURRENTLY x ON notes (id)');`),
  );
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate({ allowOutOfOrder: true });
  await gate.reached();
  await fleet.project.remove('migrations/tenants');
  await gate.open();
  const { tenants } = await run;
  expect(tenants[0]?.error).toMatchObject({
    sqlstate: '25001',
    hint: expect.stringContaining('export const config = { transaction: false };'),
  });
});

test('two releases with different folders at once: no history is wrong, and the next run finishes', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  const GATE = `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE gate ();`;
  await fleet.add('3_gate.sql', GATE);
  const gate = await closeGate(fleet.testDatabase);
  const older = fleet.migrate({ concurrency: 1 });
  await gate.reached();
  const newer = await usualProject({
    'migrations/tenants/3_gate.sql': GATE,
    'migrations/tenants/4_links.sql': createTable('links'),
  });
  const other = await fleet.testDatabase.open();
  const migrateNewer = () => migrateTenants(other, { folder: newer.tenants, concurrency: 1 });
  const running = migrateNewer();
  await gate.reached(2);
  await gate.open();
  const [first, second] = await Promise.all([older, running]);
  const next = await migrateNewer();

  // A tenant that the newer release reached first is refused by the older one, and stays as it is.
  const refused = first.tenants.flatMap(({ error }) => error?.code ?? []);
  expect(new Set(refused)).toEqual(new Set(['HISTORY_NEWER']));
  expect(second.totals.failed).toBe(0);
  expect(next).toMatchObject({ totals: { failed: 0 }, fleet: { upToDate: 3, failed: 0 } });
  for (const id of ORGANIZATIONS) {
    expect(await fleet.tables(id)).toEqual(['gate', 'links', 'notes', 'tags']);
    const names = (await fleet.history(id)).map((entry) => entry.replace(/@.*/, ''));
    expect(names.slice(2)).toEqual(['3_gate.sql', '4_links.sql']);
  }
});

test('twenty migrations in one transaction hold as few locks as two', async () => {
  const fleet = await createFleet(['org_a']);
  const held = `SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid = pg_backend_pid()`;
  for (let number = 10; number < 30; number += 1)
    await fleet.add(`3_${number}.sql`, '-- migrate:up\nSELECT 1;');
  await fleet.add('4_held.sql', `-- migrate:up\nCREATE TABLE held AS ${held};`);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
  const [row] = await fleet.query<{ count: string }>(`SELECT count FROM ${schemaNameFor('org_a')}.held`);
  expect(Number(row?.count)).toBeLessThanOrEqual(3);
});
