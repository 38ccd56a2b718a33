import { describe, expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { plainKnex } from '../../support/knex-project.ts';
import { OTHERS, useStampedFleet } from '../../support/stamped-fleet.ts';
import { expectTruth, hideHistories, historyOf, promptly, stamped } from '../../support/stamps.ts';

/*
 * Whatever is done to a tenant's history behind tenantctl's back, the very next `status` and `migrate tenants` tell the
 * truth about it. They do not read the histories of the others, which are hidden from them meanwhile.
 */

const { fleet, newTenant, perform, ask } = useStampedFleet();

const FORGET = `DELETE FROM $H WHERE name = '2_tags.js'`;
const FORGET_IN = (table: string) => FORGET.replace('$H', table);
const TRIGGER = 'tenantctl_unstamp';

/** After each of these, 2_tags.js is pending. */
const FORGETTING: readonly (readonly [string, readonly string[]])[] = [
  ['its row is deleted', [FORGET]],
  [
    'its row is deleted under session_replication_role = replica',
    ['SET session_replication_role = replica', FORGET],
  ],
  ['its row is deleted through a view', ['CREATE VIEW $S.v AS TABLE $H', FORGET_IN('$S.v')]],
  ['its row is deleted within a query', [`WITH gone AS (${FORGET} RETURNING id) SELECT count(*) FROM gone`]],
  [
    'its row is deleted by a cascade',
    [
      'CREATE TABLE $S.releases (batch int PRIMARY KEY)',
      'INSERT INTO $S.releases VALUES (1), (2)',
      `UPDATE $H SET batch = 2 WHERE name = '2_tags.js'`,
      'ALTER TABLE $H ADD CONSTRAINT of_release FOREIGN KEY (batch) REFERENCES $S.releases ON DELETE CASCADE',
      '!',
      'DELETE FROM $S.releases WHERE batch = 2',
      'ALTER TABLE $H DROP CONSTRAINT of_release',
    ],
  ],
  [
    'the history is truncated and filled anew',
    [
      'CREATE TABLE $S.kept AS TABLE $H',
      'TRUNCATE $H',
      `INSERT INTO $H SELECT * FROM $S.kept WHERE name <> '2_tags.js'`,
    ],
  ],
  ['the trigger is disabled first', [`ALTER TABLE $H DISABLE TRIGGER ${TRIGGER}`, FORGET]],
  [
    'the trigger is disabled meanwhile',
    ['ALTER TABLE $H DISABLE TRIGGER ALL', FORGET, 'ALTER TABLE $H ENABLE TRIGGER ALL'],
  ],
  [
    'the trigger is disabled meanwhile, and enabled as it was',
    [`ALTER TABLE $H DISABLE TRIGGER ${TRIGGER}`, FORGET, `ALTER TABLE $H ENABLE ALWAYS TRIGGER ${TRIGGER}`],
  ],
  [
    'the trigger is disabled meanwhile, in one transaction',
    [
      'BEGIN',
      `ALTER TABLE $H DISABLE TRIGGER ${TRIGGER}`,
      FORGET,
      `ALTER TABLE $H ENABLE ALWAYS TRIGGER ${TRIGGER}`,
      'COMMIT',
    ],
  ],
  [
    'the trigger fires for replicas only meanwhile',
    [
      `ALTER TABLE $H ENABLE REPLICA TRIGGER ${TRIGGER}`,
      FORGET,
      `ALTER TABLE $H ENABLE ALWAYS TRIGGER ${TRIGGER}`,
    ],
  ],
  ['the trigger is dropped', [`DROP TRIGGER ${TRIGGER} ON $H`, FORGET]],
  [
    'the trigger is dropped and made again as it was',
    [
      `CREATE TEMP TABLE definition AS SELECT pg_get_triggerdef(oid) AS it FROM pg_trigger
     WHERE tgrelid = '$H'::regclass AND tgname = '${TRIGGER}'`,
      `DROP TRIGGER ${TRIGGER} ON $H`,
      FORGET,
      'DO $$BEGIN EXECUTE (SELECT it FROM definition); END$$',
      `ALTER TABLE $H ENABLE ALWAYS TRIGGER ${TRIGGER}`,
    ],
  ],
  ['its function is dropped', [`DROP FUNCTION $F() CASCADE`, FORGET]],
  [
    'its function is replaced meanwhile',
    [
      `CREATE TEMP TABLE definition AS SELECT pg_get_functiondef('$F'::regproc) AS it`,
      `CREATE OR REPLACE FUNCTION $F() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
      FORGET,
      'DO $$BEGIN EXECUTE (SELECT it FROM definition); END$$',
    ],
  ],
  [
    'its function is renamed, and another called so',
    [
      `ALTER FUNCTION $F() RENAME TO away`,
      `CREATE FUNCTION $F() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
      `DROP TRIGGER ${TRIGGER} ON $H`,
      `CREATE TRIGGER ${TRIGGER} AFTER DELETE ON $H EXECUTE FUNCTION $F()`,
      `ALTER TABLE $H ENABLE ALWAYS TRIGGER ${TRIGGER}`,
      FORGET,
    ],
  ],
  [
    'another table takes the place of the history',
    [
      'ALTER TABLE $H RENAME TO away',
      'CREATE TABLE $H (LIKE $S.away INCLUDING ALL)',
      `INSERT INTO $H SELECT * FROM $S.away WHERE name <> '2_tags.js'`,
    ],
  ],
  [
    'the history has another name meanwhile',
    [
      'ALTER TABLE $H RENAME TO away',
      FORGET_IN('$S.away'),
      'ALTER TABLE $S.away RENAME TO knex_migrations_tenant',
    ],
  ],
  [
    'the history is in another schema meanwhile',
    [
      'CREATE SCHEMA elsewhere_$S',
      'ALTER TABLE $H SET SCHEMA elsewhere_$S',
      FORGET_IN('elsewhere_$S.knex_migrations_tenant'),
      'ALTER TABLE elsewhere_$S.knex_migrations_tenant SET SCHEMA $S',
    ],
  ],
  [
    'the schema has another name meanwhile',
    [
      'ALTER SCHEMA $S RENAME TO away_$S',
      FORGET_IN('away_$S.knex_migrations_tenant'),
      'ALTER SCHEMA away_$S RENAME TO $S',
    ],
  ],
  [
    'the schema is dropped and made again',
    [
      'CREATE TABLE public.kept_$S AS TABLE $H',
      'DROP SCHEMA $S CASCADE',
      'CREATE SCHEMA $S',
      'CREATE TABLE $H (id serial PRIMARY KEY, name varchar(255), batch int, migration_time timestamptz)',
      'CREATE TABLE $L (index serial PRIMARY KEY, is_locked int)',
      'INSERT INTO $L (is_locked) VALUES (0)',
      `INSERT INTO $H SELECT * FROM public.kept_$S WHERE name <> '2_tags.js'`,
      `SELECT setval('$H_id_seq', 10)`,
    ],
  ],
];

test.each(FORGETTING)('%s: 2_tags is pending, and is applied', async (_, statements) => {
  const id = await newTenant();
  await perform(id, statements);
  expect(await ask(id)).toMatchObject({
    attention: 'BEHIND',
    outcome: 'migrated',
    names: ['2_tags.js'],
    totals: { upToDate: OTHERS.length, failed: 0 },
  });
  await expectTruth(fleet(), id, ...OTHERS);
  await fleet().migrate();
  expect(await stamped(fleet())).toContain(id);
});

test('a history that is truncated is empty for both commands: everything is pending, and is applied', async () => {
  const id = await newTenant();
  await perform(id, ['TRUNCATE $H']);
  expect(await ask(id)).toMatchObject({
    attention: 'BEHIND',
    outcome: 'migrated',
    names: ['1_notes.js', '2_tags.js'],
  });
  await expectTruth(fleet(), id);
});

const STRANGE = `INSERT INTO $H (name, batch) VALUES ('0_strange.js', 1)`;

test.each([
  ['a row is inserted', [STRANGE]],
  [
    'a row is inserted under session_replication_role = replica',
    ['SET session_replication_role = replica', STRANGE],
  ],
  ['a row is copied in', [`COPY $H (name, batch) FROM PROGRAM 'echo 0_strange.js,1' (FORMAT csv)`]],
  ['a row is merged in', [`${STRANGE} ON CONFLICT (id) DO UPDATE SET batch = 7`]],
  ['a row is renamed', [`UPDATE $H SET name = '0_strange.js' WHERE id = 1`]],
  [
    'a child table has a row',
    [
      'CREATE TABLE $S.child () INHERITS ($H)',
      `INSERT INTO $S.child (id, name, batch) VALUES (9, '0_strange.js', 1)`,
    ],
  ],
])('%s that the folder does not know: both commands say so', async (_, statements) => {
  const id = await newTenant();
  await perform(id, statements);
  expect(await ask(id)).toMatchObject({
    attention: 'HISTORY_DISAGREES',
    outcome: 'failed',
    totals: { upToDate: OTHERS.length, failed: 1 },
  });
});

test.each([
  ['is renamed to what means the same', [`UPDATE $H SET name = '2_tags.ts' WHERE name = '2_tags.js'`]],
  ['has another batch', ['UPDATE $H SET batch = 5']],
  ['has its rows in another order', ['UPDATE $H SET id = 100 - id']],
])('a history that %s is told as it is, and nothing is to be done', async (_, statements) => {
  const id = await newTenant();
  await perform(id, statements);
  expect(await ask(id)).toMatchObject({ attention: undefined, outcome: 'up-to-date' });
  await expectTruth(fleet(), id);
  expect(await stamped(fleet())).toContain(id);
  await expectTruth(fleet(), id);
});

test("Knex's lock, left set, is told, and the tenant is not stamped until it is gone", async () => {
  const id = await newTenant();
  await perform(id, ['UPDATE $L SET is_locked = 1']);
  expect(await ask(id)).toMatchObject({ attention: 'KNEX_LOCKED' });
  expect(await ask(id)).toMatchObject({ attention: 'KNEX_LOCKED' });
  expect(await stamped(fleet())).not.toContain(id);
  await perform(id, ['UPDATE $L SET is_locked = 0']);
  expect(await ask(id)).toMatchObject({ attention: undefined, outcome: 'up-to-date' });
  expect(await stamped(fleet())).toContain(id);
});

test("Knex's lock table may be disabled, truncated and replaced like the history", async () => {
  const id = await newTenant();
  await perform(id, [
    `ALTER TABLE $L DISABLE TRIGGER ${TRIGGER}`,
    'UPDATE $L SET is_locked = 1',
    `ALTER TABLE $L ENABLE ALWAYS TRIGGER ${TRIGGER}`,
  ]);
  expect(await ask(id)).toMatchObject({ attention: 'KNEX_LOCKED' });
  await perform(id, ['TRUNCATE $L', 'INSERT INTO $L (is_locked) VALUES (0)', '!']);
  expect(await stamped(fleet())).toContain(id);
  await perform(id, [
    'ALTER TABLE $L RENAME TO away',
    'CREATE TABLE $L (LIKE $S.away INCLUDING ALL)',
    'INSERT INTO $L (is_locked) VALUES (1)',
  ]);
  expect(await ask(id)).toMatchObject({ attention: 'KNEX_LOCKED' });
});

describe('plain Knex', () => {
  const knexOf = (id: string) => plainKnex(fleet().testDatabase, fleet().project, id);

  test.each([
    ['rolls a tenant back', (id: string) => knexOf(id).migrate.rollback(), ['1_notes.js', '2_tags.js']],
    ['takes one migration of a tenant down', (id: string) => knexOf(id).migrate.down(), ['2_tags.js']],
    [
      'rolls a tenant back and takes one up again',
      async (id: string) => {
        await knexOf(id).migrate.rollback();
        await knexOf(id).migrate.up();
      },
      ['2_tags.js'],
    ],
  ])('%s: that is pending, and is applied', async (_, work, pending) => {
    const id = await newTenant();
    await work(id);
    expect(await ask(id)).toMatchObject({
      attention: 'BEHIND',
      outcome: 'migrated',
      names: pending,
      totals: { upToDate: OTHERS.length, failed: 0 },
    });
    await expectTruth(fleet(), id, ...OTHERS);
  });

  test('brings a tenant up to date: nothing is left to do there', async () => {
    const id = await newTenant();
    await knexOf(id).migrate.rollback();
    expect((await fleet().status()).states).toMatchObject([{ tenant: { clerkOrgId: id } }]);
    await knexOf(id).migrate.latest();
    expect(await ask(id)).toMatchObject({ attention: undefined, outcome: 'up-to-date', names: [] });
    await expectTruth(fleet(), id);
  });
});

test('a schema that is dropped is missing for both commands', async () => {
  const id = await newTenant();
  await perform(id, ['DROP SCHEMA $S CASCADE']);
  const hidden = await hideHistories(fleet(), OTHERS);
  expect((await promptly(fleet().status())).states).toMatchObject([
    { attention: { code: 'SCHEMA_MISSING' } },
  ]);
  expect((await promptly(fleet().migrate())).totals).toMatchObject({ failed: 1, upToDate: OTHERS.length });
  await hidden.show();
});

test('a tenant that leaves the registry counts no more; when it comes back, it is as it was', async () => {
  const id = await newTenant();
  const [row] = await fleet().query<{ kept: object }>(
    'DELETE FROM tenants t WHERE clerk_org_id = $1 RETURNING to_jsonb(t) AS kept',
    [id],
  );
  const hidden = await hideHistories(fleet(), OTHERS);
  expect((await promptly(fleet().status())).tenants).toMatchObject({ total: 2, upToDate: 2 });
  expect((await promptly(fleet().migrate())).totals).toMatchObject({ selected: 2, upToDate: 2 });
  await hidden.show();
  await perform(id, [FORGET]);
  await fleet().query('INSERT INTO tenants SELECT * FROM jsonb_populate_record(NULL::tenants, $1)', [
    row?.kept,
  ]);
  expect(await ask(id)).toMatchObject({ attention: 'BEHIND', outcome: 'migrated' });
});

test.each([
  ['one stamp is deleted', `DELETE FROM tenantctl.stamps WHERE schema_name = $1`],
  ['all stamps are deleted', `DELETE FROM tenantctl.stamps WHERE $1 <> ''`],
])('%s: the histories are read once more, and then not', async (_, statement) => {
  const id = await newTenant();
  await fleet().query(statement, [schemaNameFor(id)]);
  expect((await fleet().status()).tenants).toMatchObject({ upToDate: 3, behind: 0 });
  expect((await fleet().migrate()).totals).toMatchObject({ upToDate: 3, changed: 0, failed: 0 });
  const hidden = await hideHistories(fleet(), [id, ...OTHERS]);
  expect((await promptly(fleet().status())).tenants).toMatchObject({ upToDate: 3, behind: 0 });
  expect((await promptly(fleet().migrate())).totals).toMatchObject({ upToDate: 3, changed: 0, failed: 0 });
  await hidden.show();
});

test('a transaction that is taken back takes nothing away', async () => {
  const id = await newTenant();
  await perform(id, ['BEGIN', FORGET, 'ROLLBACK']);
  const hidden = await hideHistories(fleet(), [id, ...OTHERS]);
  expect((await promptly(fleet().status())).tenants).toMatchObject({ upToDate: 3 });
  await hidden.show();
  await expectTruth(fleet(), id);
});

test('what is stamped stays so while the server tidies up its catalogs', async () => {
  const id = await newTenant();
  for (const table of ['pg_trigger', 'pg_proc', 'pg_class', 'tenantctl.stamps', historyOf(id)]) {
    await fleet().query(`VACUUM (FREEZE, ANALYZE) ${table}`);
  }
  for (const table of ['pg_trigger', 'pg_proc', 'tenantctl.stamps']) {
    await fleet().query(`VACUUM (FULL, FREEZE) ${table}`);
  }
  expect(await stamped(fleet())).toEqual([id, ...OTHERS].toSorted());
});
