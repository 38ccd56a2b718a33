import { expect, test } from 'vitest';
import { failedInRun } from '../../../src/core/ledger/failed-in-run.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { readUndoOfRun } from '../../../src/core/ledger/undo-of-run.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { intentOf, REMEMBERED_FAILURES } from '../../support/remember.ts';
import { promptly, session } from '../../support/stamps.ts';

const A = schemaNameFor('org_a');
const B = schemaNameFor('org_b');

/** org_a has failed in the run that is returned; org_b and org_c went through it. */
async function failedFleet(): Promise<{ fleet: TestFleet; run: number }> {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.query(`CREATE TABLE ${A}.links (id int)`);
  await fleet.add('3_links.sql', createTable('links'));
  const { run, totals } = await fleet.migrate();
  expect(totals).toMatchObject({ changed: 2, failed: 1 });
  return { fleet, run: run ?? 0 };
}

/** What the ledger says of a run, as `runs show` does. */
async function shown({ database }: TestFleet, run: number): Promise<string[]> {
  const tenants = await readRunTenants(database, run, { onlyFailed: false });
  return tenants.map(({ clerkOrgId, schema, outcome }) => `${clerkOrgId} ${schema} ${outcome}`);
}

async function attention(fleet: TestFleet): Promise<Record<string, string | undefined>> {
  const { states } = await fleet.status();
  return Object.fromEntries(states.map(({ tenant, attention }) => [tenant.clerkOrgId, attention?.code]));
}

async function migrating(fleet: TestFleet, options: Parameters<TestFleet['migrate']>[0] = {}) {
  const told: string[] = [];
  const observe = (event: RunEvent) => {
    if (event.type === 'warning' || event.type === 'note') told.push(event.message);
  };
  return { result: await fleet.migrate({ ...options, observe }), told };
}

const ids = ({ query }: TestFleet) =>
  query(
    'SELECT id::int, clerk_org_id AS organization, schema_name AS schema, gone_at IS NOT NULL AS gone FROM tenantctl.tenants ORDER BY id',
  );

test.each([
  ['organization', `UPDATE tenants SET clerk_org_id = 'org_new' WHERE clerk_org_id = 'org_a'`, 'org_new', A],
  [
    'schema',
    `ALTER SCHEMA ${A} RENAME TO acme; UPDATE tenants SET schema_name = 'acme' WHERE clerk_org_id = 'org_a'`,
    'org_a',
    'acme',
  ],
])(
  'what is remembered of a tenant follows a rename of its %s by hand: its failure, the ledger, --retry-failed',
  async (_, rename, organization, schema) => {
    const { fleet, run } = await failedFleet();
    await fleet.query(rename);

    // Commands that only read find it under its new name, and write nothing.
    const before = await ids(fleet);
    expect(await attention(fleet)).toEqual({ [organization]: 'FAILED' });
    expect(await shown(fleet, run)).toContain(`${organization} ${schema} failed`);
    expect((await failedInRun(fleet.database, run)).schemas).toEqual([schema]);
    expect(await ids(fleet)).toEqual(before);

    await fleet.query(`DROP TABLE ${schema}.links`);
    const { result, told } = await migrating(fleet, { retryFailed: run });
    expect(result.totals).toMatchObject({ selected: 1, changed: 1 });
    expect(told).toEqual([`org_a (${A}) is ${organization} (${schema}) now.`]);
    expect((await migrating(fleet)).told).toEqual([]);
    expect(await attention(fleet)).toEqual({});
    expect(await fleet.query(REMEMBERED_FAILURES)).toEqual([]);
    expect(await ids(fleet)).toHaveLength(3);
    expect(await shown(fleet, run)).toContain(`${organization} ${schema} failed`);
    const undo = await readUndoOfRun(fleet.database, result.run ?? 0, false);
    expect(undo.map(({ schema }) => schema)).toEqual([schema]);
  },
);

test('a tenant whose schema was renamed by hand is up to date without a look at its history, and is migrated like the others', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.query(
    `ALTER SCHEMA ${A} RENAME TO acme; UPDATE tenants SET schema_name = 'acme' WHERE clerk_org_id = 'org_a'`,
  );
  const other = await session(fleet);
  await other.query('BEGIN; LOCK TABLE acme.knex_migrations_tenant IN ACCESS EXCLUSIVE MODE');
  expect((await promptly(fleet.status())).tenants).toMatchObject({ upToDate: 3, behind: 0 });
  expect((await promptly(fleet.migrate())).totals).toMatchObject({ upToDate: 3, changed: 0, failed: 0 });
  await other.query('ROLLBACK');
  expect(await fleet.query(`SELECT FROM tenantctl.trusted_stamps WHERE schema_name = 'acme'`)).toHaveLength(
    1,
  );

  await fleet.add('3_links.sql', createTable('links'));
  expect((await fleet.migrate({ concurrency: 1 })).totals).toMatchObject({ changed: 3, failed: 0 });
  // Whoever changes its history is still seen, also from a snapshot that is older than the stamp.
  await fleet.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ; DELETE FROM acme.knex_migrations_tenant WHERE name = '3_links.sql'; COMMIT; DROP TABLE acme.links`,
  );
  expect(await attention(fleet)).toEqual({ org_a: 'BEHIND' });
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1, upToDate: 2 });
  expect(await fleet.query(`SELECT FROM tenantctl.trusted_stamps`)).toHaveLength(3);
});

test('an interrupted migration is known under a new name, and is resolved there', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add('3_links.sql', createTable('links'));
  await fleet.query(intentOf(A, '3_links.sql'));
  await fleet.query(
    `ALTER SCHEMA ${A} RENAME TO acme; UPDATE tenants SET schema_name = 'acme' WHERE clerk_org_id = 'org_a'`,
  );
  expect(await attention(fleet)).toEqual({ org_a: 'INTERRUPTED', org_b: 'BEHIND' });
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_a').error).toMatchObject({ code: 'MIGRATION_INTERRUPTED' });
  expect(resultOf(result, 'org_b').outcome).toBe('migrated');
});

test('a tenant of which both names have changed fails in a run although it has nothing pending, as status says', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.migrate();
  await fleet.query(
    `ALTER SCHEMA ${A} RENAME TO acme; UPDATE tenants SET schema_name = 'acme', clerk_org_id = 'org_new' WHERE clerk_org_id = 'org_a'`,
  );
  const result = await fleet.migrate();
  expect(resultOf(result, 'org_new').error).toMatchObject({ code: 'TENANT_AMBIGUOUS' });
  expect(result.totals).toMatchObject({ selected: 2, upToDate: 1, failed: 1 });
  expect((await fleet.status()).tenants).toMatchObject(result.fleet ?? {});
});

test('where both names of a tenant have changed, it is not guessed whether it is the same: people say so', async () => {
  const { fleet, run } = await failedFleet();
  await fleet.query(
    `ALTER SCHEMA ${A} RENAME TO acme; UPDATE tenants SET schema_name = 'acme', clerk_org_id = 'org_new' WHERE clerk_org_id = 'org_a'`,
  );
  expect(await attention(fleet)).toEqual({ org_new: 'AMBIGUOUS' });
  const { result, told } = await migrating(fleet);
  expect(told).toEqual([
    `"org_new" (acme) is perhaps "org_a" (${A}): both names have changed at once. It may be another tenant.`,
  ]);
  expect(resultOf(result, 'org_new').error).toMatchObject({ code: 'TENANT_AMBIGUOUS' });
  expect(await attention(fleet)).toEqual({ org_new: 'AMBIGUOUS' });
  expect(await shown(fleet, run)).toContain(`org_a ${A} failed`);
  expect((await failedInRun(fleet.database, run)).schemas).toEqual([]);

  const { checks } = await diagnose({ nodeVersion: '24.0.0', database: fleet.testDatabase.settings });
  const check = checks.find(({ id }) => id === 'renamed-tenants');
  expect(check).toMatchObject({ status: 'failed', code: 'TENANT_AMBIGUOUS' });
  const [, isSame = '', , isAnother = ''] = check?.remedy?.split('\n') ?? [];

  await fleet.query(isSame);
  expect(await attention(fleet)).toEqual({ org_new: 'FAILED' });
  expect((await failedInRun(fleet.database, run)).schemas).toEqual(['acme']);
  expect((await migrating(fleet)).told).toEqual([]);

  await fleet.query(
    `ALTER SCHEMA acme RENAME TO other; UPDATE tenants SET schema_name = 'other', clerk_org_id = 'org_other' WHERE clerk_org_id = 'org_new'`,
  );
  await fleet.query(isAnother);
  expect(await attention(fleet)).toEqual({ org_other: 'BEHIND' });
  await fleet.query('DROP TABLE other.links');
  expect((await migrating(fleet)).result.totals).toMatchObject({ changed: 1, failed: 0 });
  expect((await failedInRun(fleet.database, run)).schemas).toEqual([]);
});

test('where the schemas of two organizations were swapped together with their rows, what is remembered goes with them', async () => {
  const { fleet, run } = await failedFleet();
  await fleet.query(
    `ALTER SCHEMA ${A} RENAME TO x; ALTER SCHEMA ${B} RENAME TO ${A}; ALTER SCHEMA x RENAME TO ${B};
     UPDATE tenants SET schema_name = 'x' WHERE clerk_org_id = 'org_a'; UPDATE tenants SET schema_name = '${A}' WHERE clerk_org_id = 'org_b';
     UPDATE tenants SET schema_name = '${B}' WHERE clerk_org_id = 'org_a'`,
  );
  const seen = { org_a: 'FAILED' };
  expect(await attention(fleet)).toEqual(seen);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, failed: 1 });
  expect(await attention(fleet)).toEqual(seen);
  expect(await shown(fleet, run)).toContain(`org_a ${B} failed`);
  expect(await ids(fleet)).toHaveLength(3);
});

/** Gives each of these organizations the schema of the next one. */
const rotate = (organizations: readonly string[]) =>
  [
    `UPDATE tenants SET schema_name = '~' || schema_name WHERE clerk_org_id IN ('${organizations.join(`','`)}')`,
    ...organizations.map((id, at) => {
      const next = organizations[(at + 1) % organizations.length] ?? '';
      return `UPDATE tenants SET schema_name = '${schemaNameFor(next)}' WHERE clerk_org_id = '${id}'`;
    }),
  ].join(';');

test.each([
  ['two', 'are put right', ['org_a', 'org_b']],
  ['two', 'were meant', ['org_a', 'org_b']],
  ['three', 'are put right', ['org_a', 'org_b', 'org_c']],
  ['three', 'were meant', ['org_a', 'org_b', 'org_c']],
])(
  '%s rows with swapped schema names are broken, and left alone until they %s',
  async (_, answer, organizations) => {
    const { fleet, run } = await failedFleet();
    await fleet.query(rotate(organizations));
    const swapped = Object.fromEntries(organizations.map((id) => [id, 'SWAPPED']));
    const n = organizations.length;

    expect(await attention(fleet)).toEqual(swapped);
    await fleet.add('4_marks.sql', createTable('marks'));
    for (let runs = 0; runs < 2; runs += 1) {
      const { result, told } = await migrating(fleet);
      expect(result.totals).toMatchObject({ failed: n });
      expect(result.fleet).toMatchObject({ broken: n });
      expect(resultOf(result, 'org_a').error?.message).toBe(
        `The registry gives "org_a" the schema ${B}, which is known as that of "org_b". Their rows may be swapped.`,
      );
      expect(told.filter((text) => text.includes('swapped'))).toHaveLength(n);
    }
    expect((await fleet.rollback({ tenants: organizations })).totals).toMatchObject({ failed: n });
    expect(await fleet.provision('org_a')).toMatchObject([
      { outcome: 'failed', error: { code: 'TENANT_SWAPPED' } },
    ]);
    expect(await attention(fleet)).toEqual(swapped);
    expect(await shown(fleet, run)).toContain(`org_a ${A} failed`);

    const { checks } = await diagnose({ nodeVersion: '24.0.0', database: fleet.testDatabase.settings });
    const check = checks.find(({ id }) => id === 'swapped-tenants');
    expect(check).toMatchObject({ status: 'failed', code: 'TENANT_SWAPPED' });
    expect(check?.detail).toContain(`org_a has ${B}, the schema of org_b`);
    const [back = '', meant = ''] = (check?.remedy ?? '').split('-- If each');
    await fleet.query(answer === 'were meant' ? meant.replace(/.*\n/, '') : back);
    // org_a's failure is its schema's.
    const holder = answer === 'were meant' ? (organizations.at(-1) ?? '') : 'org_a';
    expect((await attention(fleet))[holder]).toBe('FAILED');
    await fleet.query(`DROP TABLE ${A}.links`);
    expect((await migrating(fleet)).result.totals).toMatchObject({ failed: 0 });
    expect(await attention(fleet)).toEqual({});
    expect(await ids(fleet)).toHaveLength(3);
  },
);

test.each([['a run between'], ['nothing between']])(
  'a tenant that was deleted and is provisioned anew under the same names, with %s, is another one',
  async (between) => {
    const { fleet, run } = await failedFleet();
    await fleet.query(intentOf(A, '3_links.sql'));
    await fleet.query(`DELETE FROM tenants WHERE clerk_org_id = 'org_a'; DROP SCHEMA ${A} CASCADE`);
    if (between === 'a run between') await fleet.migrate();
    expect(await fleet.provision('org_a')).toMatchObject([{ outcome: 'provisioned' }]);
    expect(await attention(fleet)).toEqual({});
    expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 3 });
    expect((await failedInRun(fleet.database, run)).schemas).toEqual([]);
    expect(await fleet.query(REMEMBERED_FAILURES)).toHaveLength(1);
    expect(await fleet.query(`SELECT FROM tenantctl.stamps WHERE schema_name = '${A}'`)).toHaveLength(1);
    expect(await ids(fleet)).toMatchObject([
      { gone: true },
      { gone: false },
      { gone: false },
      { gone: false },
    ]);
  },
);

test('a tenant may get the names that one had which is gone, and one whose row comes back is the same', async () => {
  const { fleet } = await failedFleet();
  await fleet.query(
    `CREATE TABLE kept AS SELECT * FROM tenants WHERE clerk_org_id = 'org_a'; DELETE FROM tenants WHERE clerk_org_id = 'org_a'`,
  );
  await fleet.migrate();
  expect(await attention(fleet)).toEqual({});
  await fleet.query(`UPDATE tenants SET clerk_org_id = 'org_a' WHERE clerk_org_id = 'org_b'`);
  expect((await migrating(fleet)).told).toEqual([`org_b (${B}) is org_a (${B}) now.`]);
  expect(await attention(fleet)).toEqual({});
  await fleet.query(
    `UPDATE tenants SET clerk_org_id = 'org_b' WHERE clerk_org_id = 'org_a'; INSERT INTO tenants SELECT * FROM kept`,
  );
  expect(await attention(fleet)).toEqual({ org_a: 'FAILED' });
  await fleet.migrate();
  expect(await ids(fleet)).toMatchObject([
    { organization: 'org_a', gone: false },
    { organization: 'org_b', gone: false },
    { organization: 'org_c', gone: false },
  ]);
});

test('several commands at once give each new tenant one id', async () => {
  const fleet = await createFleet([]);
  await fleet.query(
    `DO $$ BEGIN FOR n IN 1..20 LOOP
       EXECUTE format('CREATE SCHEMA one_%s', n);
       INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_' || n, 'one_' || n, 'ACTIVE');
     END LOOP; END $$`,
  );
  await Promise.all([fleet.migrate(), fleet.migrate(), fleet.provision('org_x', 'org_y')]);
  expect(await ids(fleet)).toHaveLength(22);
  expect((await fleet.status()).tenants).toMatchObject({ total: 22, upToDate: 22 });
});
