import { expect, onTestFinished, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, type TestFleet, resultOf } from '../../support/fleet.ts';
import { until } from '../../support/gate.ts';
import { startPostgres } from '../../support/postgres-programs.ts';
import { createProject } from '../../support/project.ts';
import { OTHERS, useStampedFleet } from '../../support/stamped-fleet.ts';
import {
  createRole,
  expectTruth,
  FORGIVING,
  hideHistories,
  historyOf,
  ifMissing,
  promptly,
  session,
} from '../../support/stamps.ts';
import { standingFleet } from '../../support/standing-fleet.ts';

/* Changes of a history that no statement on the history itself shows. */

const { fleet, newTenant, perform, ask } = useStampedFleet();

const FORGET_IN = (table: string) => `DELETE FROM ${table} WHERE name = '2_tags.js'`;

test.each([
  [
    'a table that it inherits from',
    [
      'CREATE TABLE public.all_$S (LIKE $H)',
      'ALTER TABLE $H INHERIT public.all_$S',
      '!',
      FORGET_IN('public.all_$S'),
    ],
  ],
  [
    'a table that it inherited from for a while',
    [
      'CREATE TABLE public.all_$S (LIKE $H)',
      'ALTER TABLE $H INHERIT public.all_$S',
      FORGET_IN('public.all_$S'),
      'ALTER TABLE $H NO INHERIT public.all_$S',
    ],
  ],
  [
    'a partitioned table that it is a part of',
    [
      'CREATE TABLE public.parts_$S (LIKE $H) PARTITION BY LIST (name)',
      'ALTER TABLE public.parts_$S ATTACH PARTITION $H DEFAULT',
      '!',
      FORGET_IN('public.parts_$S'),
    ],
  ],
  [
    'a change of a column that rewrites it',
    [`ALTER TABLE $H ALTER name TYPE varchar(255) USING replace(name, '2_tags', '1_notes')`],
  ],
  [
    'a new column that takes the place of another',
    ['ALTER TABLE $H RENAME name TO was', `ALTER TABLE $H ADD name varchar(255) DEFAULT '1_notes.js'`],
  ],
  [
    'older stamps that are put back',
    [
      'CREATE TABLE public.stamps_$S AS TABLE tenantctl.stamps',
      FORGET_IN('$H'),
      'INSERT INTO tenantctl.stamps SELECT * FROM public.stamps_$S ON CONFLICT DO NOTHING',
    ],
  ],
  [
    'a stamp that is written by hand',
    [
      FORGET_IN('$H'),
      'SELECT tenantctl.stamp($q$$S$q$)',
      `UPDATE tenantctl.stamps SET digest = (SELECT digest FROM tenantctl.stamps WHERE schema_name = '$O')
     WHERE schema_name = '$S'`,
    ],
  ],
])('2_tags is forgotten by way of %s: it is pending, and is applied', async (_, statements) => {
  const id = await newTenant();
  await perform(id, statements);
  expect(await ask(id)).toMatchObject({
    attention: 'BEHIND',
    outcome: 'migrated',
    names: ['2_tags.js'],
    totals: { upToDate: OTHERS.length, failed: 0 },
  });
  await expectTruth(fleet(), id, ...OTHERS);
});

test.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
  'a %s transaction that began before the tenant was stamped is seen when it changes the history, or is refused',
  async (isolation) => {
    const id = await newTenant();
    await perform(id, [`DELETE FROM tenantctl.stamps WHERE schema_name = '$S'`]);
    const writer = await session(fleet());
    await writer.query(`BEGIN ISOLATION LEVEL ${isolation}`);
    await writer.query('SELECT count(*) FROM pg_class');
    await fleet().migrate();
    const end = await writer.query(FORGET_IN(historyOf(id))).then(
      () => 'COMMIT',
      (error: { code: string }) => (error.code === '40001' ? 'ROLLBACK' : Promise.reject(error)),
    );
    await writer.query(end);
    expect((await ask(id)).attention).toBe(end === 'COMMIT' ? 'BEHIND' : undefined);
  },
);

test('rows that arrive by logical replication are seen', async () => {
  const server = await startPostgres({
    settings: ['wal_level=logical'],
  });
  onTestFinished(() => server.stop());
  const there = await standingFleet(['org_a'], FORGIVING, server.url);
  onTestFinished(() => there.close());
  const here = await standingFleet(['org_a', ...OTHERS], FORGIVING, server.url);
  onTestFinished(() => here.close());
  const subscriber = await session(here.fleet);
  await there.fleet.query(`CREATE PUBLICATION changes FOR TABLE ${historyOf('org_a')}`);
  await there.fleet.query(`SELECT pg_create_logical_replication_slot('changes', 'pgoutput')`);
  await subscriber.query(
    `CREATE SUBSCRIPTION changes CONNECTION '${there.fleet.testDatabase.url}' PUBLICATION changes
     WITH (create_slot = false, slot_name = 'changes', copy_data = false)`,
  );
  onTestFinished(async () => {
    await subscriber.query('DROP SUBSCRIPTION changes');
  });
  await there.fleet.query(FORGET_IN(historyOf('org_a')));
  await until(
    async () => (await here.fleet.query(`TABLE ${historyOf('org_a')}`)).length === 1,
    'the change to arrive',
  );
  await expectTruth(here.fleet, 'org_a', ...OTHERS);
  expect((await here.fleet.status()).states).toMatchObject([
    { tenant: { clerkOrgId: 'org_a' }, pending: ['2_tags.js'] },
  ]);
});

const FIVE = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** Five tenants: the first two of a plan show what the other three are sent. */
async function fiveTenants(): Promise<TestFleet> {
  return createFleet(FIVE, { project: await createProject(FORGIVING) });
}

const inEach = (fleet: TestFleet, statement: string) =>
  fleet.query(
    FIVE.map((id) => statement.replaceAll('$H', historyOf(id)).replaceAll('$S', schemaNameFor(id))).join(
      ';\n',
    ),
  );

test.each([
  [
    'a trigger that changes the row',
    `
    CREATE FUNCTION $S.other() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.batch := 77; RETURN NEW; END$$;
    CREATE TRIGGER other BEFORE INSERT ON $H FOR EACH ROW EXECUTE FUNCTION $S.other()`,
  ],
  [
    'a trigger that writes another row',
    `
    CREATE FUNCTION $S.other() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
      IF pg_trigger_depth() = 1 THEN INSERT INTO $H (name, batch) VALUES ('4_more.js', 9); END IF; RETURN NULL; END$$;
    CREATE TRIGGER other AFTER INSERT ON $H FOR EACH ROW EXECUTE FUNCTION $S.other()`,
  ],
  ['a rule that keeps the row away', 'CREATE RULE other AS ON INSERT TO $H DO INSTEAD NOTHING'],
])("tenantctl's own row is told as it came out where a history has %s", async (_, statement) => {
  const fleet = await fiveTenants();
  await inEach(fleet, statement);
  await fleet.add('3_links.js', ifMissing('links'));
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 5 });
  await expectTruth(fleet, ...FIVE);
});

test("what a trigger on one tenant's history does to another's is refused", async () => {
  const fleet = await fiveTenants();
  await fleet.query(`
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN DELETE FROM ${historyOf('org_c')} WHERE name = '3_links.js'; RETURN NULL; END$$;
    CREATE TRIGGER other AFTER INSERT ON ${historyOf('org_e')} FOR EACH ROW EXECUTE FUNCTION forget()`);
  await fleet.add('3_links.js', ifMissing('links'));
  const result = await fleet.migrate({ concurrency: 1 });
  expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
  expect(resultOf(result, 'org_e').error?.code).toBe('MIGRATION_OUTSIDE_SCHEMA');
  await expectTruth(fleet, ...FIVE);
});

test('where ids are ahead of their sequence, what is applied last is told last', async () => {
  const fleet = await fiveTenants();
  await inEach(fleet, 'UPDATE $H SET id = id + 100');
  await fleet.migrate();
  await fleet.add('3_links.js', ifMissing('links'));
  await fleet.migrate();
  await expectTruth(fleet, ...FIVE);
  const warnings: string[] = [];
  await fleet.migrate({
    verify: true,
    observe: (event) => event.type === 'warning' && warnings.push(event.message),
  });
  expect(warnings).toEqual([]);
  expect((await fleet.rollback()).totals).toMatchObject({ changed: 5 });
  await expectTruth(fleet, ...FIVE);
});

test('nobody is waited for only to stamp a tenant', async () => {
  const id = await newTenant();
  const writer = await session(fleet());
  await writer.query('BEGIN');
  await writer.query(FORGET_IN(historyOf(id)));
  // The writer has locked the stamp, which is not to be believed any more.
  await perform(id, ['ALTER FUNCTION $F() COST 99']);
  const notes: string[] = [];
  const run = await promptly(
    fleet().migrate({ observe: (event) => event.type === 'note' && notes.push(event.message) }),
  );
  expect(run.totals).toMatchObject({ upToDate: 3 });
  expect(notes).toEqual([expect.stringContaining('1 tenant without a stamp')]);
  await writer.query('COMMIT');
  expect(await ask(id)).toMatchObject({ attention: 'BEHIND', outcome: 'migrated' });
});

test.each([
  ['deleted', 'DELETE FROM tenantctl.histories'],
  ['edited', `UPDATE tenantctl.histories SET entries = '[["2_tags.js", 1]]'`],
])(
  'what stamps refer to has been %s: the histories are read once more, and then not',
  async (_, statement) => {
    const id = await newTenant();
    await fleet().query(statement);
    await expectTruth(fleet(), id, ...OTHERS);
    expect((await fleet().migrate()).totals).toMatchObject({ upToDate: 3, changed: 0, failed: 0 });
    const hidden = await hideHistories(fleet(), [id, ...OTHERS]);
    expect((await promptly(fleet().status())).tenants).toMatchObject({ upToDate: 3, behind: 0 });
    await hidden.show();
  },
);

test("a tenant whose objects were given to another role is stamped, and that role's own Knex works there", async () => {
  const id = await newTenant();
  const role = await createRole(fleet().testDatabase);
  await perform(id, [
    `GRANT ALL ON SCHEMA $S TO ${role}`,
    `GRANT ALL ON ALL TABLES IN SCHEMA $S TO ${role}`,
    `ALTER FUNCTION $F() OWNER TO ${role}`,
    '!',
    `SET ROLE ${role}`,
    FORGET_IN('$H'),
  ]);
  expect(await ask(id)).toMatchObject({ attention: 'BEHIND', outcome: 'migrated' });
});
