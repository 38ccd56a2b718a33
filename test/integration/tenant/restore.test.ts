import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { Client } from 'pg';
import { expect, onTestFinished, test, vi } from 'vitest';
import { readBackup } from '../../../src/core/backup/read-backup.ts';
import { writeBackup } from '../../../src/core/backup/write-backup.ts';
import { trySnapshotUnderLock } from '../../../src/core/commands/try-under-lock.ts';
import { readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createRunContext } from '../../../src/core/run/run-context.ts';
import {
  planRestore,
  restoreTenant,
  restoreTenantFrom,
  type RestoreOptions,
} from '../../../src/core/tenant/restore.ts';
import { archiveTenants } from '../../../src/core/tenant/archive.ts';
import { dropTenant } from '../../../src/core/tenant/drop.ts';
import { renameTenant } from '../../../src/core/tenant/rename.ts';
import { planUnarchive, unarchiveTenants } from '../../../src/core/tenant/unarchive.ts';
import { backupBytes } from '../../support/backup-bytes.ts';
import { createEmbeddedDatabase } from '../../support/database.ts';
import { AT_WORK } from '../../../src/core/state/run-at-work.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';
import { signsOfLife } from '../../support/sign-of-life.ts';
import { contentsOf } from '../../support/tenant-content.ts';

const ORDERS = `-- migrate:up
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, parent int REFERENCES orders, state state NOT NULL DEFAULT 'new',
  total numeric, twice numeric GENERATED ALWAYS AS (total * 2) STORED, at timestamptz DEFAULT 'infinity');
CREATE TABLE lines (id serial PRIMARY KEY, "order" int NOT NULL REFERENCES orders, text text);
INSERT INTO orders (total) VALUES (1);
-- migrate:down
DROP TABLE lines; DROP TABLE orders; DROP TYPE state;
`;

/** A tenant with rows, and its backup. */
async function backedUp(organization = 'org_a') {
  const fleet = await createFleet([]);
  await fleet.add('3_orders.sql', ORDERS);
  await fleet.provision(organization, 'org_other');
  const schema = schemaNameFor(organization);
  await fleet.query(`
    INSERT INTO ${schema}.orders (parent, state, total) VALUES (1, 'paid', 'NaN'), (NULL, 'new', 2.50), (2, 'new', NULL);
    INSERT INTO ${schema}.lines ("order", text) SELECT 1 + i % 3, E'tab\\there, line\\nfeed \\\\N ' || i FROM generate_series(1, 100) i;
    DELETE FROM ${schema}.lines WHERE id > 90;`);
  const file = join(fleet.project.folder, 'a.tar');
  await writeTo(fleet, organization, file);
  return { fleet, file, schema };
}

async function writeTo({ database }: TestFleet, clerkOrgId: string, file: string): Promise<void> {
  const schema = schemaNameFor(clerkOrgId);
  await trySnapshotUnderLock(
    createRunContext(database),
    schema,
    async (transaction) => {
      await writeBackup(
        transaction.client,
        database,
        { clerkOrgId, schema, status: 'ACTIVE' },
        createWriteStream(file),
      );
      transaction.abandon();
      return { kind: 'done', done: undefined };
    },
    (error) => {
      throw error;
    },
  );
}

const options = ({ project }: TestFleet, more: Partial<RestoreOptions> = {}): RestoreOptions => ({
  folder: project.tenants,
  masterFolder: project.master,
  ...more,
});

/** What a refusal must leave as it is. */
async function everything({ query }: TestFleet): Promise<unknown> {
  return query(`SELECT (SELECT jsonb_agg(to_jsonb(t) ORDER BY clerk_org_id) FROM tenants t) AS registry,
    (SELECT jsonb_agg(nspname ORDER BY nspname) FROM pg_namespace WHERE nspname LIKE 'tid%') AS schemas,
    (SELECT count(*) FROM tenantctl.verb_intents) AS intents`);
}

test('a tenant is restored as another organization, with its rows, history, sequences and shape; then what is pending is applied', async () => {
  const { fleet, file } = await backedUp();
  const restored = await restoreTenant(fleet.database, file, options(fleet, { as: 'org_b' }));
  expect(restored).toMatchObject({
    clerkOrgId: 'org_b',
    schema: schemaNameFor('org_b'),
    outcome: 'restored',
    rows: 97,
    applied: [],
  });
  expect(restored).not.toHaveProperty('differences');
  const [a, b] = await contentsOf(fleet, ['org_a', 'org_b']);
  expect(b).toEqual(a);
  expect(await fleet.history('org_b')).toEqual(await fleet.history('org_a'));
  const next = `INSERT INTO ${restored.schema}.lines ("order") VALUES (1) RETURNING id`;
  expect(await fleet.query(next)).toEqual([{ id: 101 }]);
  expect(await readRunTenants(fleet.database, restored.run ?? 0, { onlyFailed: false })).toMatchObject([
    { clerkOrgId: 'org_b', outcome: 'restored' },
  ]);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 3, broken: 0 });
  expect(await fleet.query('SELECT FROM tenantctl.verb_intents')).toEqual([]);

  await fleet.add('4_newer.sql', createTable('newer'));
  const plan = await planRestore(fleet.database, file, options(fleet, { as: 'org_c' }));
  expect(plan).toMatchObject({ clerkOrgId: 'org_c', pending: ['4_newer.sql'] });
  const stream = createReadStream(file);
  const later = await restoreTenant(fleet.database, stream, options(fleet, { as: 'org_c' }));
  expect(later.applied).toEqual(['4_newer.sql']);
  expect(await fleet.history('org_c')).toEqual([...(await fleet.history('org_a')), '4_newer.sql@2']);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 1, changed: 3, failed: 0 });
});

test('a pipe is read once, like a stream; and a stream may take longer than a transaction may be idle', async () => {
  const { fleet, file } = await backedUp();
  const pipe = join(fleet.project.folder, 'pipe');
  execFileSync('sh', ['-c', 'mkfifo "$0"', pipe]);
  const restored = restoreTenant(fleet.database, pipe, options(fleet, { as: 'org_b' }));
  const bytes = await readFile(file);
  await writeFile(pipe, bytes);
  expect(await restored).toMatchObject({ outcome: 'restored', rows: 97 });

  const impatient = {
    ...fleet.database,
    deadClientSettings: { ...fleet.database.deadClientSettings, idle_in_transaction_session_timeout: 300 },
  };
  const between = bytes.indexOf('tables/00002');
  async function* slowly() {
    yield bytes.subarray(0, between);
    await setTimeout(1_500);
    yield bytes.subarray(between);
  }
  const stream = Readable.from(slowly(), { objectMode: false });
  const later = await restoreTenant(impatient, stream, options(fleet, { as: 'org_c' }));
  expect(later).toMatchObject({ outcome: 'restored', rows: 97 });
});

test('while a stream takes its time before its end, the server hears that the restoration goes on', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { fleet, file } = await backedUp();
  const bytes = await readFile(file);
  const stream = new PassThrough();
  const restored = restoreTenant(fleet.database, stream, options(fleet, { as: 'org_b' }));
  stream.write(bytes.subarray(0, -2_000));
  const loaded = `SELECT FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%setval%' AND datname = current_database()`;
  await expect.poll(() => fleet.query(loaded)).toHaveLength(1);
  const signs = await signsOfLife(fleet.query);
  vi.advanceTimersByTime(15_000);
  await signsOfLife(fleet.query, signs);
  stream.end(bytes.subarray(-2_000));
  expect(await restored).toMatchObject({ outcome: 'restored', rows: 97 });
});

test('a tenant whose schema or row is gone comes back under its own names', async () => {
  const { fleet, file, schema } = await backedUp();
  const [before] = await contentsOf(fleet, ['org_a']);
  await fleet.query(`DROP SCHEMA ${schema} CASCADE`);
  expect(await restoreTenant(fleet.database, file, options(fleet))).toMatchObject({
    schema,
    outcome: 'restored',
  });
  expect(await contentsOf(fleet, ['org_a'])).toEqual([before]);
  await fleet.query(`DROP SCHEMA ${schema} CASCADE; DELETE FROM tenants WHERE clerk_org_id = 'org_a'`);
  expect(await restoreTenant(fleet.database, file, options(fleet))).toMatchObject({
    schema,
    outcome: 'restored',
  });
  expect(await contentsOf(fleet, ['org_a'])).toEqual([before]);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 2 });
});

test('a tenant is read out of another database, in which nothing is written', async () => {
  const { fleet } = await backedUp();
  const other = await createFleet([]);
  const ledger = 'SELECT count(*) FROM tenantctl.runs';
  const before = await fleet.query(ledger);
  const restored = await restoreTenantFrom(other.database, fleet.database, 'org_a', {
    ...options(fleet),
    lockWaitMs: 100,
  });
  expect(restored).toMatchObject({ clerkOrgId: 'org_a', outcome: 'restored', rows: 97 });
  expect(await contentsOf(other, ['org_a'])).toEqual(await contentsOf(fleet, ['org_a']));
  expect(await fleet.query(ledger)).toEqual(before);
  expect(
    await refusalOf(restoreTenantFrom(other.database, fleet.database, 'org_nope', options(fleet))),
  ).toMatchObject({ code: 'TENANT_UNKNOWN' });
});

test('a backup replaces the tenant, which stays as it is if that fails, and nothing is left of the schema it had', async () => {
  const { fleet, file, schema } = await backedUp();
  const [before] = await contentsOf(fleet, ['org_a']);
  await fleet.query(`INSERT INTO ${schema}.orders (total) VALUES (77)`);
  await fleet.add('4_newer.sql', '-- migrate:up\nSELECT 1 / 0;\n-- migrate:down\n');
  const replace = () => restoreTenant(fleet.database, file, options(fleet, { replace: true }));
  expect(await refusalOf(replace())).toMatchObject({ code: 'MIGRATION_FAILED' });
  expect(await fleet.query(`SELECT FROM ${schema}.orders WHERE total = 77`)).toHaveLength(1);
  const beside = `SELECT FROM pg_namespace WHERE nspname LIKE 'tenantctl_%'`;
  expect(await fleet.query(beside)).toEqual([]);

  await fleet.project.remove('migrations/tenants/4_newer.sql');
  await fleet.query(`CREATE TABLE shared (line int CONSTRAINT leads_in REFERENCES ${schema}.lines);
    CREATE PUBLICATION lines_of_a FOR TABLE ${schema}.lines`);
  expect(await refusalOf(replace())).toMatchObject({
    code: 'TENANT_REFERENCED',
    details: [
      'constraint leads_in on table public.shared',
      `publication of table ${schema}.lines in publication lines_of_a`,
    ],
  });
  await fleet.query('DROP TABLE shared; DROP PUBLICATION lines_of_a');
  expect(await replace()).toMatchObject({ clerkOrgId: 'org_a', schema, outcome: 'restored' });
  expect(await contentsOf(fleet, ['org_a'])).toEqual([before]);
  expect(await fleet.query(beside)).toEqual([]);
  expect(await fleet.query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 2, broken: 0 });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 2, failed: 0 });
});

test('a tenant is not replaced under a transaction that is using it', async () => {
  const { fleet, file, schema } = await backedUp();
  const [before] = await contentsOf(fleet, ['org_a']);
  const client = new Client({ connectionString: fleet.testDatabase.url });
  await client.connect();
  await client.query(`BEGIN; UPDATE ${schema}.orders SET total = 77`);
  const impatient = options(fleet, { replace: true, lockTimeoutMs: 100, retries: 0 });
  const refusal = await refusalOf(restoreTenant(fleet.database, file, impatient));
  await client.query('ROLLBACK');
  await client.end();
  expect(refusal.sqlstate).toBe('55P03');
  expect(await contentsOf(fleet, ['org_a'])).toEqual([before]);
});

const GOES = [
  {
    title: 'goes with the tenant',
    deed: ({ database }: TestFleet) => dropTenant(database, 'org_a'),
    outcome: 'dropped',
  },
  {
    title: 'goes before the name of its schema does',
    deed: ({ database }: TestFleet) => renameTenant(database, 'org_a', 'org_new', { withSchema: true }),
    outcome: 'renamed',
  },
];

test.each(GOES)('what a killed restoration with --replace has left $title', async ({ deed, outcome }) => {
  const { fleet, file } = await backedUp();
  const bytes = await readFile(file);
  async function* endless() {
    yield bytes.subarray(0, bytes.indexOf('tables/00002'));
    await new Promise(() => {});
  }
  const stream = Readable.from(endless(), { objectMode: false });
  const dying = await fleet.testDatabase.open();
  const died = refusalOf(restoreTenant(dying, stream, options(fleet, { replace: true })));
  const beside = `SELECT FROM pg_namespace WHERE nspname LIKE 'tenantctl_%'`;
  await expect.poll(() => fleet.query(beside)).toHaveLength(1);
  await dying.close();
  await died;
  await expect.poll(() => fleet.query(`SELECT FROM tenantctl.runs r WHERE ${AT_WORK}`)).toEqual([]);
  expect(await fleet.query(`SELECT details ->> 'clerkOrgId' AS id FROM tenantctl.verb_intents`)).toEqual([
    { id: 'org_a' },
  ]);
  expect(await deed(fleet)).toMatchObject({ outcome });
  expect(await fleet.query(beside)).toEqual([]);
  expect(await fleet.query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
});

test('an archived tenant comes back under its own names; its backup may have been moved', async () => {
  const { fleet, schema } = await backedUp();
  const [before] = await contentsOf(fleet, ['org_a']);
  const unarchive = (...ids: string[]) => unarchiveTenants(fleet.database, ids, options(fleet));
  expect((await unarchive('org_a')).tenants).toMatchObject([{ outcome: 'already-active' }]);
  await archiveTenants(fleet.database, ['org_a'], { backupFolder: fleet.project.folder });
  const planned = await planUnarchive(fleet.database, ['org_a'], options(fleet));
  expect(planned.plans).toMatchObject([{ clerkOrgId: 'org_a', schema, pending: [] }]);
  expect((await unarchive('org_a')).tenants).toMatchObject([{ schema, outcome: 'unarchived', rows: 97 }]);
  expect(await contentsOf(fleet, ['org_a'])).toEqual([before]);

  const [archived] = (await archiveTenants(fleet.database, ['org_a'], { backupFolder: fleet.project.folder }))
    .tenants;
  const moved = join(fleet.project.folder, 'moved');
  await rename(archived?.backupFile ?? '', moved);
  expect((await unarchive('org_a')).tenants[0]?.error).toMatchObject({ code: 'FILE_UNUSABLE' });
  const other = join(fleet.project.folder, 'other.tar');
  await writeTo(fleet, 'org_other', other);
  const from = (path: string) =>
    unarchiveTenants(fleet.database, ['org_a'], { ...options(fleet), file: path });
  expect((await from(other)).tenants[0]?.error).toMatchObject({ code: 'BACKUP_DIFFERS' });
  expect(await fleet.query(`SELECT status FROM tenants WHERE clerk_org_id = 'org_a'`)).toEqual([
    { status: 'ARCHIVED' },
  ]);
  expect((await from(moved)).tenants).toMatchObject([{ outcome: 'unarchived' }]);
  expect((await fleet.status()).tenants).toMatchObject({ upToDate: 2 });
});

test('what cannot be restored is refused with the reason, and nothing is changed', async () => {
  const { fleet, file } = await backedUp();
  const before = await everything(fleet);
  const restore = (path: string, more: Partial<RestoreOptions> = {}) =>
    refusalOf(restoreTenant(fleet.database, path, options(fleet, more)));
  expect(await restore(file)).toMatchObject({ code: 'TENANT_EXISTS', tenant: 'org_a' });
  expect((await restore(file, { as: 'org_other' })).hint).toContain('--as');
  expect(await restore(file, { as: '' })).toMatchObject({ code: 'ORGANIZATION_ID_INVALID' });
  expect(await restore(join(fleet.project.folder, 'none.tar'))).toMatchObject({ code: 'FILE_UNUSABLE' });

  const bytes = await readFile(file);
  const cut = join(fleet.project.folder, 'cut.tar');
  for (const length of [bytes.length - 1, bytes.length >> 1]) {
    await writeFile(cut, bytes.subarray(0, length));
    expect(await restore(cut, { as: 'org_b' })).toMatchObject({ code: 'BACKUP_DAMAGED' });
    const stream = createReadStream(cut);
    expect(
      await refusalOf(restoreTenant(fleet.database, stream, options(fleet, { as: 'org_b' }))),
    ).toMatchObject({
      code: 'BACKUP_DAMAGED',
    });
  }
  await fleet.query(`CREATE SCHEMA ${schemaNameFor('org_b')}`);
  expect(await restore(file, { as: 'org_b' })).toMatchObject({ code: 'SCHEMA_UNREGISTERED' });
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_b')}`);
  await fleet.query(
    `UPDATE tenants SET schema_name = '${schemaNameFor('org_b')}' WHERE clerk_org_id = 'org_other'`,
  );
  expect(await restore(file, { as: 'org_b' })).toMatchObject({ code: 'SCHEMA_NAME_TAKEN' });
  await fleet.query(
    `UPDATE tenants SET schema_name = '${schemaNameFor('org_other')}' WHERE clerk_org_id = 'org_other'`,
  );

  await fleet.add('3_orders.sql', `${ORDERS}-- edited`);
  expect(await restore(file, { as: 'org_b' })).toMatchObject({
    code: 'MIGRATIONS_DIFFER',
    migration: '3_orders.sql',
  });
  await fleet.project.remove('migrations/tenants/3_orders.sql');
  expect(await restore(file, { as: 'org_b' })).toMatchObject({
    code: 'HISTORY_NEWER',
    migration: '3_orders.sql',
  });
  await fleet.add('4_newer.sql', createTable('newer'));
  expect(await restore(file, { as: 'org_b' })).toMatchObject({ code: 'MIGRATIONS_DIFFER' });
  await fleet.add('3_orders.sql', ORDERS);
  await fleet.add('4_newer.sql', '-- migrate:up\nSELECT 1 / 0;\n-- migrate:down\n');
  expect(await restore(file, { as: 'org_b' })).toMatchObject({
    code: 'MIGRATION_FAILED',
    migration: '4_newer.sql',
  });
  expect(await everything(fleet)).toEqual(before);
});

test('a tenant that was changed by hand is restored with --allow-drift, as far as its rows have a place', async () => {
  const { fleet, schema } = await backedUp();
  const file = join(fleet.project.folder, 'drifted.tar');
  await fleet.query(`ALTER TABLE ${schema}.lines ADD more text DEFAULT 'x'; CREATE TABLE ${schema}.extra (id int); CREATE INDEX by_text ON ${schema}.lines (text);
    INSERT INTO ${schema}.extra VALUES (1)`);
  await writeTo(fleet, 'org_a', file);
  const refused = await refusalOf(restoreTenant(fleet.database, file, options(fleet, { as: 'org_b' })));
  expect(refused).toMatchObject({ code: 'SHAPE_DIFFERS', tenant: 'org_b' });
  expect(refused.details?.join('\n')).toContain('column lines.more: only in the backup');
  expect(await fleet.query(`SELECT FROM tenants WHERE clerk_org_id = 'org_b'`)).toEqual([]);

  const restored = await restoreTenant(
    fleet.database,
    file,
    options(fleet, { as: 'org_b', allowDrift: true }),
  );
  expect(restored.left).toEqual(['table extra', 'column lines.more']);
  expect(restored.differences).toContainEqual({ kind: 'index', name: 'by_text', difference: 'missing' });
  const rows = (organization: string) =>
    fleet.query(`SELECT id, "order", text FROM ${schemaNameFor(organization)}.lines ORDER BY id`);
  expect(await rows('org_b')).toEqual(await rows('org_a'));
});

test('a backup of a server is restored into the embedded database, which takes no COPY', async () => {
  const { fleet, file, schema } = await backedUp();
  const database = await (await createEmbeddedDatabase()).open();
  await migrateMaster(database, { folder: fleet.project.master });
  const folder = fleet.project.tenants;
  expect(await restoreTenant(database, file, { folder })).toMatchObject({
    clerkOrgId: 'org_a',
    schema,
    outcome: 'restored',
  });
  const rows = `SELECT t::text AS line FROM ${schema}.orders t UNION ALL SELECT t::text FROM ${schema}.lines t ORDER BY 1`;
  expect((await database.query(rows)).rows).toEqual(await fleet.query(rows));
});

test('rows that are loaded and have another hash than in the backup are not kept', async () => {
  const { fleet, file } = await backedUp();
  const { manifest, tables } = await readBackup(file);
  const rows: Record<string, string[]> = {};
  for await (const { table, rows: data } of tables) rows[table.name] = [await text(data)];
  const measures = manifest.measures.map((measure) =>
    measure.table === 'lines' ? { ...measure, hash: '0'.repeat(32) } : measure,
  );
  const other = join(fleet.project.folder, 'other.tar');
  await writeFile(other, (await backupBytes(rows, { ...manifest, measures })).bytes);
  const refusal = await refusalOf(restoreTenant(fleet.database, other, options(fleet, { as: 'org_b' })));
  expect(refusal).toMatchObject({ code: 'ROWS_DIFFER', message: expect.stringContaining('lines') });
  const left = `SELECT FROM tenants WHERE clerk_org_id = 'org_b'
    UNION ALL SELECT FROM pg_namespace WHERE nspname = '${schemaNameFor('org_b')}'`;
  expect(await fleet.query(left)).toEqual([]);
});

test('a backup that somebody has changed, hashes and all, is refused, and nothing is left of it', async () => {
  const { fleet, file } = await backedUp();
  const { manifest, tables } = await readBackup(file);
  const rows: Record<string, string[]> = {};
  for await (const { table, rows: data } of tables) rows[table.name] = [await text(data)];
  const { content, migrations, shape, measures } = manifest;
  const { lines: _, ...rowsWithoutLines } = rows;
  const injection = `true); DROP TABLE public.tenants; --` as unknown as boolean;
  const changed: readonly [string, object, Readonly<Record<string, string[]>>?][] = [
    // Its history says something else.
    ['BACKUP_DAMAGED', { migrations: migrations.map((each) => ({ ...each, batch: 7 })) }],
    [
      'BACKUP_DAMAGED',
      {
        content: { ...content, tables: content.tables.filter(({ name }) => name !== 'lines') },
        measures: measures.filter(({ table }) => table !== 'lines'),
      },
      rowsWithoutLines,
    ],
    ['BACKUP_DAMAGED', { content: { ...content, sequences: [] } }],
    ['SHAPE_DIFFERS', { shape: { ...shape, objects: shape.objects.slice(1) } }],
    [
      'BACKUP_DAMAGED',
      {
        content: {
          ...content,
          sequences: content.sequences.map((each) => ({ ...each, isCalled: injection })),
        },
      },
    ],
    ['BACKUP_DAMAGED', { content: { ...content, materializedViews: undefined } }],
    ['BACKUP_DAMAGED', { seeds: [null] }],
    ['BACKUP_DAMAGED', { schema: '' }],
  ];
  const other = join(fleet.project.folder, 'other.tar');
  const left = `SELECT clerk_org_id FROM tenants UNION ALL SELECT nspname FROM pg_namespace WHERE nspname ~ '^tid_' ORDER BY 1`;
  const before = await fleet.query(left);
  for (const [code, change, given = rows] of changed) {
    await writeFile(other, (await backupBytes(given, { ...manifest, ...change })).bytes);
    const refusal = await refusalOf(restoreTenant(fleet.database, other, options(fleet, { as: 'org_b' })));
    expect({ change, code: refusal.code }).toEqual({ change, code });
  }
  expect(await fleet.query(left)).toEqual(before);
});
