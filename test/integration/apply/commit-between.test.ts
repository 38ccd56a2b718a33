import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

const FOUR = ['org_a', 'org_b', 'org_c', 'org_d'];

test('a value that one migration adds to an enum can be used by the next, forward, back, and for a new tenant', async () => {
  const fleet = await createFleet(FOUR);
  await fleet.add(
    '3_type.sql',
    `-- migrate:up\nCREATE TYPE mood AS ENUM ('a');\nCREATE TABLE moods (m mood);`,
  );
  await fleet.migrate();
  await fleet.add(
    '4_add.sql',
    `-- migrate:up\nALTER TYPE mood ADD /* one */ VALUE 'b';\n-- migrate:down\nSELECT 1`,
  );
  await fleet.add(
    '5_use.js',
    knexMigration(
      `await knex.raw("ALTER TABLE moods ALTER m SET DEFAULT 'b'")`,
      `await knex.raw("DO $$ BEGIN ALTER TYPE mood ADD VALUE 'c'; END $$")`,
    ),
  );
  await fleet.add(
    '6_more.sql',
    `-- migrate:up\nINSERT INTO moods DEFAULT VALUES;\n-- migrate:down\nSELECT 1`,
  );

  const rehearsed = await rehearseTenants(fleet.database, {
    folder: fleet.project.tenants,
    masterFolder: fleet.project.master,
  });
  expect(
    rehearsed.plans[0]?.migrations.map(({ name, error, note }) => [name, error, note?.slice(0, 33)]),
  ).toEqual([
    ['4_add.sql', undefined, undefined],
    ['5_use.js', undefined, 'It could not be tried to its end:'],
    ['6_more.sql', undefined, undefined],
  ]);
  const migrated = await fleet.migrate();
  expect(migrated.tenants.map(({ names }) => names)).toEqual(
    FOUR.map(() => ['4_add.sql', '5_use.js', '6_more.sql']),
  );
  expect((await fleet.history('org_c')).slice(-3)).toEqual(['4_add.sql@3', '5_use.js@3', '6_more.sql@3']);
  expect(await fleet.provision('org_new')).toMatchObject([{ outcome: 'provisioned' }]);
  expect((await fleet.history('org_new')).slice(-2)).toEqual(['5_use.js@1', '6_more.sql@1']);

  await fleet.add(
    '4_add.sql',
    `-- migrate:up\nALTER TYPE mood ADD VALUE 'b';\n-- migrate:down\nINSERT INTO moods VALUES ('c')`,
  );
  const back = await fleet.rollback();
  expect(back.tenants.map(({ names }) => names)).toEqual([
    ...FOUR.map(() => ['6_more.sql', '5_use.js', '4_add.sql']),
    [],
  ]);
});

test('what fails after such a migration leaves it applied, and a new tenant is removed as a whole', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_first.sql', `-- migrate:up\nCREATE TEMP TABLE tmp ON COMMIT DROP AS SELECT 1 AS x;`);
  await fleet.add(
    '4_second.sql',
    `-- migrate:up\nCREATE TEMP TABLE tmp ON COMMIT DROP AS SELECT 1 AS x; SELECT 1 / 0;`,
  );
  const { tenants } = await fleet.migrate();
  expect(tenants).toMatchObject([
    { outcome: 'failed', names: ['3_first.sql'], error: { sqlstate: '22012' } },
  ]);
  expect((await fleet.history('org_a')).at(-1)).toBe('3_first.sql@2');
  expect(await fleet.provision('org_new')).toMatchObject([{ outcome: 'failed', applied: [] }]);
  await fleet.add('4_second.sql', `-- migrate:up\nCREATE TEMP TABLE tmp ON COMMIT DROP AS SELECT 1 AS x;`);
  expect(await fleet.provision('org_new')).toMatchObject([{ outcome: 'provisioned' }]);
  expect(await fleet.migrate()).toMatchObject({
    tenants: [{ outcome: 'migrated', names: ['4_second.sql'] }],
  });
});

test('what a migration sets, for its transaction or the session, does not last for the next, in strings neither', async () => {
  const fleet = await createFleet(FOUR);
  const seen = `AS SELECT ${[
    'work_mem',
    'lock_timeout',
    'statement_timeout',
    'session_replication_role',
    'idle_in_transaction_session_timeout',
  ]
    .map((name) => `current_setting('${name}') AS ${name}`)
    .join(', ')}`;
  await fleet.add(
    '3_sets.sql',
    `-- migrate:up\nCREATE TABLE before ${seen};\nSET LOCAL work_mem = '64kB'; SET lock_timeout = '77s';
     SET LOCAL session_replication_role = replica; DO $$ BEGIN PERFORM set_config('statement_timeout', '99s', true); END $$;
     SET idle_in_transaction_session_timeout = 0;`,
  );
  await fleet.add('4_next.sql', `-- migrate:up\nCREATE TABLE after ${seen};`);
  await fleet.migrate({ statementTimeoutMs: 50_000 });
  for (const schema of FOUR.map(schemaNameFor)) {
    const before = await fleet.query(`SELECT * FROM ${schema}.before`);
    expect(before).toMatchObject([{ session_replication_role: 'origin', statement_timeout: '50s' }]);
    expect(await fleet.query(`SELECT * FROM ${schema}.after`)).toEqual(before);
  }
});

test.each([
  ['adds a value by a function of the database', 'SELECT public.extend()', "INSERT INTO moods VALUES ('b')"],
  [
    'writes rows with a deferred constraint',
    'INSERT INTO links VALUES (1)',
    'ALTER TABLE links ADD note text',
  ],
])(
  'what follows a migration that %s runs in another transaction, also for a new tenant',
  async (_, first, next) => {
    const fleet = await createFleet([]);
    await fleet.query(
      `CREATE FUNCTION public.extend() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE $x$ALTER TYPE mood ADD$x$ || $x$ VALUE 'b'$x$; END $$`,
    );
    await fleet.add(
      '3_first.sql',
      `-- migrate:up\nCREATE TYPE mood AS ENUM ('a'); CREATE TABLE moods (m mood); INSERT INTO notes (id) VALUES (1);
     CREATE TABLE links (id int REFERENCES notes DEFERRABLE INITIALLY DEFERRED);`,
    );
    expect(await fleet.provision('org_a')).toMatchObject([{ outcome: 'provisioned' }]);
    await fleet.add('4_first.sql', `-- migrate:up\n${first}`);
    await fleet.add('5_next.sql', `-- migrate:up\n${next}`);
    const folders = { folder: fleet.project.tenants, masterFolder: fleet.project.master };
    const { plans } = await rehearseTenants(fleet.database, folders);
    expect(plans[0]?.migrations.map(({ error }) => error)).toEqual([undefined, undefined]);
    const results = await fleet.provision('org_b', 'org_c', 'org_d', 'org_e');
    expect(results.map(({ outcome, error }) => error?.message ?? outcome)).toEqual(
      FOUR.map(() => 'provisioned'),
    );
    const { tenants } = await fleet.migrate();
    expect(tenants.map(({ names }) => names)).toContainEqual(['4_first.sql', '5_next.sql']);
  },
);
