import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const LINKS = ['20250101000003_links.sql', createTable('links')] as const;

test('pending migrations reach every ACTIVE tenant, as one batch of its own history', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(...LINKS);
  await fleet.add('20250101000004_more.sql', createTable('more'));

  const result = await fleet.migrate();

  expect(result.totals).toEqual({ selected: 2, upToDate: 0, changed: 2, failed: 0, skipped: 0 });
  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'migrated',
    names: ['20250101000003_links.sql', '20250101000004_more.sql'],
    batch: 2,
  });
  expect(await fleet.history('org_b')).toEqual([
    '20250101000001_notes.sql@1',
    '20250101000002_tags.sql@1',
    '20250101000003_links.sql@2',
    '20250101000004_more.sql@2',
  ]);
  expect(await fleet.tables('org_b')).toEqual(['links', 'more', 'notes', 'tags']);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, changed: 0 });
});

test('batches are counted per tenant: one that was behind catches up in one batch', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(...LINKS);
  await fleet.migrate({ tenants: ['org_a'] });
  await fleet.add('20250101000004_more.sql', createTable('more'));
  await fleet.migrate();
  expect((await fleet.history('org_a')).slice(2)).toEqual([
    '20250101000003_links.sql@2',
    '20250101000004_more.sql@3',
  ]);
  expect((await fleet.history('org_b')).slice(2)).toEqual([
    '20250101000003_links.sql@2',
    '20250101000004_more.sql@2',
  ]);
});

test('--to is inclusive, and the rest is left for later', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(...LINKS);
  await fleet.add('20250101000004_more.sql', createTable('more'));
  await fleet.migrate({ to: '20250101000003_links' });
  expect(await fleet.tables('org_a')).toEqual(['links', 'notes', 'tags']);
});

test('a selection by organization or by schema reaches those tenants only', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add(...LINKS);
  const result = await fleet.migrate({ tenants: ['org_a', schemaNameFor('org_c'), 'org_a'] });
  expect(result.totals).toMatchObject({ selected: 2, changed: 2 });
  expect(await fleet.tables('org_b')).not.toContain('links');
});

test('a name that fits no tenant is refused before anything is done, all of them named', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(...LINKS);
  const refusal = await refusalOf(fleet.migrate({ tenants: ['org_a', 'org_x', 'org_y'] }));
  expect(refusal).toMatchObject({ code: 'TENANT_UNKNOWN' });
  expect(refusal.message).toContain('"org_x", "org_y"');
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('no tenants at all is a success that says so', async () => {
  const fleet = await createFleet([]);
  const result = await fleet.migrate();
  expect(result.totals).toEqual({ selected: 0, upToDate: 0, changed: 0, failed: 0, skipped: 0 });
});

test('pending master migrations come first: tenants are not touched', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(...LINKS);
  await fleet.project.write('migrations/master/20250201000000_areas.sql', createTable('areas'));
  const refusal = await refusalOf(fleet.migrate());
  expect(refusal).toMatchObject({ code: 'MASTER_PENDING', migration: '20250201000000_areas.sql' });
  expect(refusal.hint).toContain('tenantctl migrate all');
  expect(await fleet.tables('org_a')).not.toContain('links');
});

test('without a registry there is nothing to migrate: the way to one is told', async () => {
  const fleet = await createFleet([]);
  await fleet.query('DROP TABLE tenants');
  const refusal = await refusalOf(fleet.migrate());
  expect(refusal).toMatchObject({ code: 'REGISTRY_ABSENT' });
  expect(refusal.hint).toContain('tenantctl migrate master');
});

test('an empty folder of tenant migrations is refused', async () => {
  const fleet = await createFleet([]);
  await fleet.project.remove('migrations/tenants/20250101000001_notes.sql');
  await fleet.project.remove('migrations/tenants/20250101000002_tags.sql');
  expect(await refusalOf(fleet.migrate())).toMatchObject({ code: 'MIGRATIONS_FOLDER_EMPTY' });
});

test('a history that disagrees with the folder stops that tenant only', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(...LINKS);
  await fleet.query(
    `UPDATE ${schemaNameFor('org_a')}.knex_migrations_tenant SET name = '20250101000001_gone.sql' WHERE id = 1`,
  );
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_a').error).toMatchObject({
    code: 'MIGRATION_FILE_MISSING',
    tenant: 'org_a',
    migration: '20250101000001_gone',
  });
  expect(resultOf(result, 'org_b').outcome).toBe('migrated');
});

test('an older release over a newer history, and a branch merged late, are refused until allowed', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.project.remove('migrations/tenants/20250101000002_tags.sql');
  expect(resultOf(await fleet.migrate(), 'org_a').error?.code).toBe('HISTORY_NEWER');
  const warnings: string[] = [];
  const allowed = await fleet.migrate({
    allowNewerHistory: true,
    observe: (event) => event.type === 'warning' && warnings.push(event.message),
  });
  expect(resultOf(allowed, 'org_a').outcome).toBe('up-to-date');
  expect(warnings).toEqual([expect.stringContaining('20250101000002_tags')]);

  await fleet.add('20250101000002_tags.sql', createTable('tags'));
  await fleet.add('20250101000000_late.sql', createTable('late'));
  expect(resultOf(await fleet.migrate(), 'org_a').error?.code).toBe('MIGRATION_OUT_OF_ORDER');
  const late = await fleet.migrate({ allowOutOfOrder: true });
  expect(resultOf(late, 'org_a').names).toEqual(['20250101000000_late.sql']);
});

test('a history table that went away after the run was planned is made anew, and all migrations are due', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('20250101000003_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}`);
  const gate = await closeGate(fleet.testDatabase);
  const run = fleet.migrate();
  await gate.reached();
  const schema = schemaNameFor('org_b');
  await fleet.query(`DROP TABLE ${schema}.knex_migrations_tenant, ${schema}.notes, ${schema}.tags`);
  await gate.open();
  expect(resultOf(await run, 'org_b')).toMatchObject({ outcome: 'migrated', batch: 1 });
  expect(await fleet.history('org_b')).toHaveLength(3);
});
