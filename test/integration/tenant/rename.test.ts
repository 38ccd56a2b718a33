import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { openTenants } from '../../../src/app/tenants.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { dropTenant } from '../../../src/core/tenant/drop.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { planRename, renameTenant } from '../../../src/core/tenant/rename.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { catalogOf, contentOf } from '../../support/catalog.ts';
import { createFleet, fleetOn, type TestFleet } from '../../support/fleet.ts';
import { holdLock } from '../../support/hold-lock.ts';
import { createLeastRole } from '../../support/least-role.ts';
import { createTable, usualProject } from '../../support/project.ts';
import { openPool } from '../../support/queries.ts';
import { refusalOf } from '../../support/refusal.ts';

const [A, NEW] = [schemaNameFor('org_a'), schemaNameFor('org_new')];

async function connect({ testDatabase }: Pick<TestFleet, 'testDatabase'>): Promise<Client> {
  const client = new Client({ connectionString: testDatabase.url });
  client.on('error', () => {});
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

const registryOf = ({ query }: TestFleet) =>
  query('SELECT clerk_org_id AS id, schema_name AS schema FROM tenants ORDER BY 1');

/** What tenantctl knows of tenants, by id. */
const knownOf = ({ query }: TestFleet) =>
  query(`SELECT k.id::int, k.clerk_org_id AS org, k.schema_name AS schema, s.schema_name IS NOT NULL AS stamped,
                (SELECT count(*)::int FROM tenantctl.tenant_failures f WHERE f.tenant = k.id) AS failures
         FROM tenantctl.tenants k LEFT JOIN tenantctl.trusted_stamps s ON s.schema_oid = k.schema_oid
         WHERE k.gone_at IS NULL ORDER BY 1`);

/** Without the runs of refused commands. */
const stateOf = async (fleet: TestFleet) =>
  (await contentOf(fleet.testDatabase)).filter((line) => !/tenantctl\.run(?:s|_tenants)\b/.test(line));

test('an organization gets another id: its schema stays, and what tenantctl remembers of it', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const heard: (string | undefined)[] = [];
  const listener = await connect(fleet);
  listener.on('notification', ({ payload }) => heard.push(payload));
  await listener.query('LISTEN tenantctl');
  const pool = openPool(fleet.testDatabase.url, 2);
  onTestFinished(() => pool.end());
  const application = openTenants(pool, { cacheMs: 60_000 });
  const schemaOf = async (org: string) => {
    const { rows } = await application.run(org, (client) =>
      client.query('SELECT current_schema() AS schema'),
    );
    return (rows[0] as { schema: string }).schema;
  };
  expect(await schemaOf('org_a')).toBe(A);
  await fleet.query(`UPDATE tenants SET updated_at = '2020-01-01'`);
  await fleet.add('20250101000003_links.sql', '-- migrate:up\nSELECT 1 / (SELECT count(*) FROM notes);');
  await fleet.migrate();
  await fleet.query(`DELETE FROM tenantctl.tenant_failures WHERE tenant <> 1`);

  const renamed = await renameTenant(fleet.database, 'org_a', "o'rg");

  expect(renamed).toMatchObject({
    outcome: 'renamed',
    clerkOrgId: "o'rg",
    schema: A,
    former: { clerkOrgId: 'org_a', schema: A },
    functions: [],
    stale: [],
  });
  expect(await registryOf(fleet)).toEqual([
    { id: "o'rg", schema: A },
    { id: 'org_b', schema: schemaNameFor('org_b') },
  ]);
  expect(await knownOf(fleet)).toEqual([
    { id: 1, org: "o'rg", schema: A, stamped: true, failures: 1 },
    { id: 2, org: 'org_b', schema: schemaNameFor('org_b'), stamped: true, failures: 0 },
  ]);
  expect(await fleet.query(`SELECT FROM tenants WHERE updated_at > '2021-01-01'`)).toHaveLength(1);
  await expect.poll(() => heard).toEqual(['org_a', "o'rg"]);
  expect(await readRun(fleet.database, renamed.run ?? 0)).toMatchObject({
    command: 'tenant rename',
    totals: { changed: 1 },
  });
  expect(await readRunTenants(fleet.database, renamed.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: "o'rg", schema: A, outcome: 'renamed' },
  ]);
  expect(await schemaOf("o'rg")).toBe(A);
  application.forget('org_a');
  await expect(schemaOf('org_a')).rejects.toMatchObject({ code: 'TENANT_UNKNOWN' });

  // The answer may have been lost.
  expect(await renameTenant(fleet.database, 'org_a', "o'rg")).toMatchObject({ outcome: 'already-renamed' });
  expect(await renameTenant(fleet.database, "o'rg", "o'rg")).toMatchObject({ outcome: 'already-renamed' });
  expect(await fleet.provision('org_a')).toMatchObject([{ error: { code: 'SCHEMA_NAME_TAKEN' } }]);
  expect((await fleet.status()).tenants).toMatchObject({ total: 2, failed: 1, behind: 1 });
});

const WITH_PATH = `-- migrate:up
CREATE TYPE mood AS ENUM ('ok');
CREATE TABLE parts (id bigint GENERATED ALWAYS AS IDENTITY, mood mood DEFAULT 'ok', day date, note int REFERENCES notes)
  PARTITION BY RANGE (day);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE VIEW moods AS SELECT mood FROM parts;
CREATE FUNCTION kept() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER kept BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION kept();
CREATE PROCEDURE "Do it"(n int DEFAULT 1) LANGUAGE sql SET search_path FROM CURRENT SET work_mem = '8MB' AS 'DELETE FROM notes';
-- migrate:down
`;

test('the schema is renamed with its organization, as if it had been provisioned under the new one', async () => {
  const project = await usualProject({ 'migrations/tenants/20250101000003_path.sql': WITH_PATH });
  const fleet = await createFleet(['org_a', 'org_b'], { project });
  await fleet.query(`INSERT INTO ${A}.notes VALUES (7); INSERT INTO ${A}.parts (day) VALUES ('2026-05-05')`);
  const before = await catalogOf(fleet.testDatabase);
  await suspendTenant(fleet.database, 'org_a');

  const planned = await planRename(fleet.database, A, 'org_new', { withSchema: true });
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
  const renamed = await renameTenant(fleet.database, A, 'org_new', { withSchema: true });

  for (const each of [planned, renamed])
    expect(each).toMatchObject({
      clerkOrgId: 'org_new',
      schema: NEW,
      former: { clerkOrgId: 'org_a', schema: A },
      functions: [expect.stringContaining('kept()'), expect.stringContaining('"Do it"(integer)')],
      stale: [],
    });
  expect(await registryOf(fleet)).toMatchObject([{ id: 'org_b' }, { id: 'org_new', schema: NEW }]);
  expect(await knownOf(fleet)).toMatchObject([
    { id: 1, org: 'org_new', schema: NEW, stamped: true },
    { id: 2 },
  ]);
  // The function of the history's trigger is named after a hash of the schema's first name.
  const ofHistory = (line: string) => line.includes('tenantctl_unstamp');
  const renamedLines = before.map((line) => line.replaceAll(A, NEW)).filter((line) => !ofHistory(line));
  const after = await catalogOf(fleet.testDatabase);
  expect(after.filter((line) => !ofHistory(line)).toSorted()).toEqual(renamedLines.toSorted());
  expect(
    await fleet.query(
      `SELECT proname AS name, proconfig AS settings FROM pg_proc
       WHERE pronamespace = $1::regnamespace AND proname IN ('kept', 'Do it') ORDER BY 1 DESC`,
      [NEW],
    ),
  ).toEqual([
    { name: 'kept', settings: [`search_path=${NEW}, public`] },
    { name: 'Do it', settings: [expect.stringContaining(NEW), 'work_mem=8MB'] },
  ]);
  await fleet.query(`INSERT INTO ${NEW}.notes VALUES (8); CALL ${NEW}."Do it"()`);

  await fleet.add('20250101000004_links.sql', createTable('links'));
  expect((await fleet.migrate({ include: ['SUSPENDED'] })).totals).toMatchObject({
    changed: 2,
    failed: 0,
  });
  expect(await fleet.history('org_new')).toContain('20250101000004_links.sql@2');
  // The id is the same, and the schema has its name already.
  expect(await renameTenant(fleet.database, 'org_new', 'org_new', { withSchema: true })).toMatchObject({
    outcome: 'already-renamed',
  });
  // Later, the schema of an organization that was renamed alone.
  await renameTenant(fleet.database, 'org_b', 'org_c');
  expect(await renameTenant(fleet.database, 'org_c', 'org_c', { withSchema: true })).toMatchObject({
    schema: schemaNameFor('org_c'),
  });
  expect(await fleet.provision('org_a', 'org_b')).toMatchObject([
    { outcome: 'provisioned' },
    { outcome: 'provisioned' },
  ]);
});

const stale = (schema: string) => [
  `CREATE FUNCTION ${schema}.f() RETURNS int LANGUAGE sql AS 'SELECT count(*)::int FROM ${schema}.notes'`,
  `CREATE FUNCTION ${schema}.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'`,
  `CREATE TRIGGER tr BEFORE INSERT ON ${schema}.notes FOR EACH ROW EXECUTE FUNCTION ${schema}.t('${schema}')`,
  `ALTER TABLE ${schema}.notes ADD COLUMN d oid DEFAULT '${schema}.notes'::text::regclass`,
  `ALTER TABLE ${schema}.notes ADD CONSTRAINT k CHECK (id::text <> '${schema}')`,
  `CREATE VIEW ${schema}.v AS SELECT '${schema}' AS name`,
  `CREATE INDEX i ON ${schema}.notes (id) WHERE id::text <> '${schema}.x'`,
  `CREATE POLICY p ON ${schema}.notes USING (current_schema = '${schema}')`,
  `CREATE FUNCTION ${schema}.p() RETURNS int LANGUAGE sql SET "my.schema" = '${schema}' AS 'SELECT 1'`,
  // No name of the schema: longer words, and references.
  `CREATE FUNCTION ${schema}.fine() RETURNS text LANGUAGE sql AS 'SELECT ''${schema}_x x${schema}'''`,
  `CREATE TABLE ${schema}.fine (id int DEFAULT '${schema}.notes'::regclass)`,
];

test('texts that PostgreSQL does not rewrite keep the schema from being renamed, unless that is allowed', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.migrate();
  for (const statement of stale(A)) await fleet.query(statement);
  const kinds = ['constraint', 'default', 'function', 'function', 'index', 'policy', 'trigger', 'view'];
  const before = [await catalogOf(fleet.testDatabase), await stateOf(fleet)];
  for (const attempt of [planRename, renameTenant]) {
    const error = await refusalOf(attempt(fleet.database, 'org_a', 'org_new', { withSchema: true }));
    expect(error).toMatchObject({ code: 'SCHEMA_STILL_NAMED', tenant: 'org_a' });
    expect(error.details).toHaveLength(kinds.length);
    // That schema does not exist.
    expect(error.details?.join()).not.toContain(NEW);
  }
  expect([await catalogOf(fleet.testDatabase), await stateOf(fleet)]).toEqual(before);

  const allowed = await renameTenant(fleet.database, 'org_a', 'org_new', {
    withSchema: true,
    allowStale: true,
  });
  expect(allowed.stale.map(({ kind }) => kind)).toEqual(kinds);
  expect(allowed.stale).toContainEqual({ kind: 'trigger', name: 'tr on notes' });
});

test('a rename waits for transactions that use the tables, and for other runs, and then gives up', async () => {
  const fleet = await createFleet(['org_a']);
  const application = await connect(fleet);
  await application.query(`BEGIN; INSERT INTO ${A}.notes VALUES (1)`);
  const options = { withSchema: true, lockTimeoutMs: 100, retries: 0, lockWaitMs: 100 };
  const before = await catalogOf(fleet.testDatabase);

  expect(await refusalOf(renameTenant(fleet.database, 'org_a', 'org_new', options))).toMatchObject({
    code: 'DATABASE_ERROR',
    sqlstate: '55P03',
    retryable: true,
  });
  expect(await catalogOf(fleet.testDatabase)).toEqual(before);
  // Neither the organization id alone nor a dry run waits for the application.
  await planRename(fleet.database, 'org_a', 'org_new', options);
  await renameTenant(fleet.database, 'org_a', 'org_b', { lockTimeoutMs: 100, retries: 0 });
  const waiting = renameTenant(fleet.database, 'org_b', 'org_new', { withSchema: true });
  await application.query(`INSERT INTO ${A}.notes VALUES (2)`);
  await application.query('COMMIT');
  expect(await waiting).toMatchObject({ schema: NEW });
  expect(await fleet.query(`SELECT FROM ${NEW}.notes`)).toHaveLength(2);

  for (const lock of [`tenant:${NEW}`, `tenant:${A}`]) {
    const held = await holdLock(fleet.testDatabase, lock);
    expect(await refusalOf(renameTenant(fleet.database, 'org_new', 'org_a', options))).toMatchObject({
      code: 'LOCK_TIMEOUT',
    });
    await held.release();
  }
});

test('what cannot be renamed is refused with its reason, and stays as it is', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_failed', 'org_gone']);
  await fleet.query(`UPDATE tenants SET status = upper(substr(clerk_org_id, 5)) WHERE clerk_org_id = 'org_failed';
    DROP SCHEMA ${schemaNameFor('org_gone')} CASCADE;
    CREATE SCHEMA ${schemaNameFor('org_taken')};
    INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('org_twin', '${schemaNameFor('org_other')}', 'ACTIVE')`);
  await fleet.migrate({ tenants: ['org_b'] });
  await fleet.query(`CREATE TABLE public.subscriptions (org text REFERENCES tenants (clerk_org_id));
    INSERT INTO public.subscriptions VALUES ('org_b')`);
  const before = await stateOf(fleet);
  const long = 'x'.repeat(256);
  const refused: [string, string, string, object?][] = [
    ['TENANT_UNKNOWN', 'org_x', 'org_y'],
    ['TENANT_EXISTS', 'org_a', 'org_b'],
    ['ORGANIZATION_ID_INVALID', 'org_a', ' '],
    ['ORGANIZATION_ID_INVALID', 'org_a', long],
    ['TENANT_NOT_ACTIVE', 'org_failed', 'org_y'],
    ['SCHEMA_MISSING', 'org_gone', 'org_y', { withSchema: true }],
    ['SCHEMA_NAME_TAKEN', 'org_a', 'org_taken', { withSchema: true }],
    ['SCHEMA_NAME_TAKEN', 'org_a', 'org_other', { withSchema: true }],
  ];
  for (const [code, tenant, organization, options] of refused)
    for (const attempt of [planRename, renameTenant]) {
      const error = await refusalOf(attempt(fleet.database, tenant, organization, options));
      expect([tenant, error.code]).toEqual([tenant, code]);
    }
  expect(await fleet.query(`SELECT FROM tenantctl.runs WHERE command = 'tenant rename'`)).toEqual([]);
  expect(
    (await refusalOf(renameTenant(fleet.database, 'org_a', 'org_other', { withSchema: true }))).message,
  ).toBe(
    `The schema ${schemaNameFor('org_other')} of organization "org_a" belongs to organization "org_twin" already.`,
  );
  expect(await refusalOf(renameTenant(fleet.database, 'org_b', 'org_y'))).toMatchObject({
    sqlstate: '23503',
    hint: expect.stringContaining('ON UPDATE CASCADE'),
  });
  expect(await stateOf(fleet)).toEqual(before);
});

test('foreign tables, which cannot be locked, follow a rename', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query(`CREATE FOREIGN DATA WRAPPER none; CREATE SERVER elsewhere FOREIGN DATA WRAPPER none;
    CREATE FOREIGN TABLE ${A}.far (id int) SERVER elsewhere`);
  await renameTenant(fleet.database, 'org_a', 'org_new', { withSchema: true });
  expect(await fleet.query(`SELECT to_regclass('${NEW}.far') IS NOT NULL AS there`)).toEqual([
    { there: true },
  ]);
});

test('the id of a tenant that was dropped is free, and the rename says whose it was', async () => {
  const fleet = await createFleet(['org_a', 'org_gone']);
  await dropTenant(fleet.database, 'org_gone');
  const said: string[] = [];
  const observe = (event: RunEvent) => event.type === 'warning' && said.push(event.message);
  await renameTenant(fleet.database, 'org_a', 'org_gone', { observe });
  expect(said).toEqual([expect.stringMatching(/^Another tenant "org_gone" was dropped at /)]);
  expect(await registryOf(fleet)).toEqual([{ id: 'org_gone', schema: A }]);
});

test("a tenant's own role is renamed with the schema, by a role with documented rights", async () => {
  const least = await createLeastRole('CREATEROLE');
  const project = await usualProject({ 'migrations/tenants/20250101000003_path.sql': WITH_PATH });
  const tenantRole = `${least.prefix}_{schema}`;
  const database = await least.open();
  const fleet = fleetOn(least.testDatabase, database, project);
  const { migrateMaster } = await import('../../../src/core/commands/migrate-master.ts');
  await migrateMaster(database, { folder: project.master });
  await provisionTenants(database, ['org_a'], { folder: project.tenants, tenantRole });

  const renamed = await renameTenant(database, 'org_a', 'org_new', { withSchema: true, tenantRole });
  expect(renamed.role).toEqual({ former: `${least.prefix}_${A}`, name: `${least.prefix}_${NEW}` });
  await fleet.query(`CREATE ROLE ${least.prefix}_${A}`);
  const back = renameTenant(database, 'org_new', 'org_a', { withSchema: true, tenantRole });
  expect(await refusalOf(back)).toMatchObject({
    sqlstate: '42710',
    hint: expect.stringContaining('TENANT_ROLE'),
  });
  await fleet.query(`DROP ROLE ${least.prefix}_${A}`);
  await fleet.add('20250101000004_links.sql', createTable('links'));
  expect((await fleet.migrate({ tenantRole })).totals).toMatchObject({ failed: 0, changed: 1 });
  expect(
    await fleet.query(
      `SELECT DISTINCT tableowner AS owner FROM pg_tables WHERE schemaname = $1 AND tablename !~ 'knex'`,
      [NEW],
    ),
  ).toEqual([{ owner: `${least.prefix}_${NEW}` }]);

  const said: string[] = [];
  const observe = (event: RunEvent) => event.type === 'warning' && said.push(event.message);
  await renameTenant(database, 'org_new', 'org_a', { withSchema: true, observe });
  expect(said).toEqual([expect.stringContaining(`The role ${least.prefix}_${NEW}`)]);
});
