import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { verifyBackup } from '../../../src/core/backup/read-backup.ts';
import { showDrift } from '../../../src/core/drift/show-drift.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { archiveTenant, archiveTenants, planArchive } from '../../../src/core/tenant/archive.ts';
import { readAdoptionCandidates } from '../../../src/core/tenant/adoption/adoption-candidates.ts';
import { dropTenant, dropTenants, readDropped } from '../../../src/core/tenant/drop.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { refusalOf } from '../../support/refusal.ts';
import { session } from '../../support/stamps.ts';

const A = schemaNameFor('org_a');

async function createFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-archive-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const statuses = async ({ query }: TestFleet) => {
  const rows = await query<{ id: string; status: string }>('SELECT clerk_org_id AS id, status FROM tenants');
  return Object.fromEntries(rows.map(({ id, status }) => [id, status]));
};

test('archived tenants keep their rows and what is remembered; the file has their rows, and the shape with its foreign keys', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  const { database, query } = fleet;
  await query(`CREATE TABLE plans (id int PRIMARY KEY); INSERT INTO plans VALUES (7);
    INSERT INTO ${A}.notes SELECT generate_series(1, 1000); ALTER TABLE ${A}.notes ADD COLUMN plan int DEFAULT 7 REFERENCES plans`);
  await suspendTenant(database, 'org_b');
  const folder = join(await createFolder(), 'new');
  expect((await planArchive(database, ['org_a', 'org_b'])).losses).toHaveLength(2);

  const { tenants } = await archiveTenants(database, ['org_a', 'org_b'], { backupFolder: folder });
  expect(tenants.map(({ outcome }) => outcome)).toEqual(['archived', 'archived']);
  expect(await statuses(fleet)).toEqual({ org_a: 'ARCHIVED', org_b: 'ARCHIVED', org_c: 'ACTIVE' });
  expect(await query(`SELECT FROM pg_namespace WHERE nspname = $1`, [A])).toEqual([]);
  const file = tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_a')?.backupFile ?? '';
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { manifest, rows } = await verifyBackup(file);
  expect(manifest).toMatchObject({ clerkOrgId: 'org_a', schema: A, status: 'ACTIVE' });
  expect(rows).toBeGreaterThan(1000);
  expect(JSON.stringify(manifest.shape)).toContain('FOREIGN KEY (plan) REFERENCES');
  expect(await query('SELECT file FROM tenantctl.backups WHERE file = $1', [file])).toHaveLength(1);

  expect(await archiveTenant(database, 'org_a', { backupFolder: folder })).toMatchObject({
    outcome: 'already-archived',
  });
  expect((await fleet.status()).tenants).toMatchObject({ notActive: 2, broken: 0 });
  expect((await readAdoptionCandidates(database)).rows).toEqual([]);
  const asked = showDrift(database, 'org_a', { tenantFolder: fleet.project.tenants });
  await expect(asked).rejects.toMatchObject({
    code: 'SCHEMA_MISSING',
    hint: 'It is ARCHIVED. To bring it back: tenantctl tenant unarchive org_a',
  });
  expect((await fleet.migrate()).totals).toMatchObject({ failed: 0 });
  // The backup of an archived tenant stays when it is dropped.
  expect(await dropTenant(database, 'org_a', { backupFolder: folder })).toMatchObject({ outcome: 'dropped' });
  expect(await readdir(folder)).toHaveLength(2);
  expect(await readDropped(database)).toMatchObject([{ clerkOrgId: 'org_a', backupFile: file }]);
});

test('what an application writes until the tables are locked is in the backup', async () => {
  const fleet = await createFleet(['org_a']);
  const folder = await createFolder();
  const application = await session(fleet);
  await application.query(`BEGIN; INSERT INTO ${A}.notes VALUES (1)`);
  const archiving = archiveTenant(fleet.database, 'org_a', { backupFolder: folder });
  const waiting = `SELECT FROM pg_locks WHERE relation = '${A}.notes'::regclass AND NOT granted`;
  await expect.poll(async () => (await fleet.query(waiting)).length).toBe(1);
  await application.query('COMMIT');
  const { backupFile = '' } = await archiving;
  const { manifest } = await verifyBackup(backupFile);
  expect(manifest.measures.find(({ table }) => table === 'notes')).toMatchObject({ rows: 1 });
});

test('without a backup nothing goes: a folder that cannot be written, a tenant that cannot be backed up, another status', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const { database, query } = fleet;
  const folder = await createFolder();
  await query(`CREATE TABLE plans (id int PRIMARY KEY); ALTER TABLE ${A}.notes ADD COLUMN plan int REFERENCES plans, ADD COLUMN big oid;
    SELECT lo_from_bytea(4711, 'x'); INSERT INTO ${A}.notes VALUES (1, NULL, 4711)`);
  expect(await refusalOf(dropTenant(database, 'org_a', { backupFolder: '/proc/nowhere' }))).toMatchObject({
    code: 'FILE_UNUSABLE',
    hint: expect.stringContaining('--no-backup'),
  });
  const { tenants } = await dropTenants(database, ['org_a', 'org_b'], { backupFolder: folder });
  expect(tenants).toMatchObject([
    {
      clerkOrgId: 'org_a',
      outcome: 'failed',
      error: { code: 'CONTENT_UNSUPPORTED', hint: expect.stringContaining('--no-backup') },
    },
    { clerkOrgId: 'org_b', outcome: 'dropped' },
  ]);
  expect(await statuses(fleet)).toEqual({ org_a: 'ACTIVE' });
  expect(await query(`SELECT FROM pg_constraint WHERE confrelid = 'plans'::regclass`)).toHaveLength(1);
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
  expect(await readdir(folder)).toHaveLength(1);
  // A file of it could not be restored, although it can be written once the table inherits no more.
  await query(`TRUNCATE ${A}.notes; CREATE TABLE kin (id int); CREATE TABLE ${A}.child () INHERITS (kin)`);
  expect(await refusalOf(archiveTenant(database, 'org_a', { backupFolder: folder }))).toMatchObject({
    code: 'CONTENT_UNSUPPORTED',
    hint: expect.not.stringContaining('--no-backup'),
  });
  expect(await query('SELECT FROM pg_inherits')).not.toEqual([]);
  await query(`UPDATE tenants SET status = 'FAILED'`);
  expect(await refusalOf(archiveTenant(database, 'org_a', { backupFolder: folder }))).toMatchObject({
    code: 'TENANT_NOT_ACTIVE',
  });
});

test('a schema with more objects than the server has room for locks is dropped in parts, after one backup', async () => {
  const fleet = await createFleet(['org_a']);
  const { database, query } = fleet;
  const [{ capacity } = { capacity: 0 }] = await query<{ capacity: number }>(
    `SELECT current_setting('max_locks_per_transaction')::int * current_setting('max_connections')::int AS capacity`,
  );
  // A table with a key is five objects.
  const count = Math.ceil(capacity / 8);
  await query(
    `DO $$ BEGIN FOR n IN 1 .. ${count} LOOP EXECUTE format('CREATE TABLE ${A}.t%s (id int PRIMARY KEY)', n); END LOOP; END $$`,
  );
  await query(`INSERT INTO ${A}.t1 VALUES (1)`);
  const folder = await createFolder();
  const { outcome, backupFile = '' } = await dropTenant(database, 'org_a', { backupFolder: folder });
  expect(outcome).toBe('dropped');
  expect((await verifyBackup(backupFile)).manifest.content.tables.length).toBeGreaterThan(count);
  expect(await readdir(folder)).toHaveLength(1);
  expect(await query(`SELECT FROM pg_namespace WHERE nspname LIKE 't%'`)).toHaveLength(1);
  expect(await readDropped(database)).toMatchObject([{ clerkOrgId: 'org_a', backupFile }]);
}, 60_000);
