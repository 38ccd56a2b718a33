import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test, vi } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { readBackup, verifyBackup } from '../../../src/core/backup/read-backup.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { readBackups } from '../../../src/core/state/backups.ts';
import { backupTenants, backupTenantTo } from '../../../src/core/tenant/backup.ts';
import type { Backups } from '../../../src/core/tenant/backup/backup-result.ts';
import { compareWithBackup, isAlike } from '../../../src/core/tenant/backup/compare-with-backup.ts';
import { planBackups } from '../../../src/core/tenant/backup.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { suspendTenant } from '../../../src/core/tenant/suspend.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createEmbeddedDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { usualProject } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';
import { signsOfLife } from '../../support/sign-of-life.ts';

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'backup-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

const outcomes = ({ tenants }: Backups) =>
  Object.fromEntries(tenants.map(({ clerkOrgId, outcome, error }) => [clerkOrgId, error?.code ?? outcome]));

async function rowsOf(file: string): Promise<Record<string, string>> {
  const { tables } = await readBackup(file);
  const found: Record<string, string> = {};
  for await (const { table, rows } of tables) found[table.name] = await text(rows);
  return found;
}

test('each tenant is written to a file of its own, with its rows, history and shape; ledger and memory agree', async () => {
  const fleet = await createFleet(['org_a', '../org b', 'org_c', 'org_d']);
  const directory = await temporaryFolder();
  await suspendTenant(fleet.database, '../org b');
  await fleet.query(`UPDATE tenants SET status = 'FAILED' WHERE clerk_org_id = 'org_d'`);
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 3)`);
  await writeFile(join(directory, 'tid.0a1b2c3d.partial'), '');

  const events: RunEvent[] = [];
  const all = await backupTenants(fleet.database, { directory, observe: (event) => events.push(event) });
  expect(outcomes(all)).toEqual({ org_a: 'backed-up', '../org b': 'backed-up', org_c: 'backed-up' });
  expect(all.notBackedUp).toEqual({ FAILED: 1 });
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'warning', message: expect.stringContaining('tid.0a1b2c3d.partial') }),
  );
  expect(events.findLast(({ type }) => type === 'written')).toMatchObject({ total: all.totals.bytes });

  const file = all.tenants.find(({ clerkOrgId }) => clerkOrgId === '../org b')?.file ?? '';
  expect(file).toMatch(/\/___org_b\.tid_[0-9a-f]{10}\.\d{8}T\d{9}Z\.tar$/);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { manifest, ...size } = await verifyBackup(file);
  expect(manifest).toMatchObject({
    clerkOrgId: '../org b',
    status: 'SUSPENDED',
    migrations: [
      { name: '20250101000001_notes.sql', batch: 1, checksum: expect.stringMatching(/^[0-9a-f]{64}$/) },
      { name: '20250101000002_tags.sql', batch: 1 },
    ],
  });
  expect(size.sha256).toBe(
    createHash('sha256')
      .update(await readFile(file))
      .digest('hex'),
  );
  const ofA = all.tenants.find(({ clerkOrgId }) => clerkOrgId === 'org_a');
  expect(await rowsOf(ofA?.file ?? '')).toMatchObject({ notes: '1\n2\n3\n', tags: '' });
  const { bytes, rows, sha256, madeAt } = ofA ?? {};
  expect(await readBackups(fleet.database, schemaNameFor('org_a'), 5)).toEqual([
    expect.objectContaining({ file: ofA?.file, bytes, rows, sha256, madeAt }),
  ]);
  expect(await readRun(fleet.database, all.run ?? 0)).toMatchObject({
    outcome: 'done',
    totals: { changed: 3 },
  });
  const entries = await readRunTenants(fleet.database, all.run ?? 0, { onlyFailed: false });
  expect(entries.map(({ outcome }) => outcome)).toEqual(['backed-up', 'backed-up', 'backed-up']);

  const named = await backupTenants(fleet.database, { directory, tenants: ['org_d', 'org_c'] });
  expect(outcomes(named)).toEqual({ org_d: 'TENANT_NOT_ACTIVE', org_c: 'backed-up' });
  expect(await planBackups(fleet.database, { tenants: ['org_d', 'org_a'] })).toMatchObject({
    planned: [{ clerkOrgId: 'org_a', tables: 3, bytes: expect.any(Number) }],
    refused: [{ clerkOrgId: 'org_d' }],
  });
});

/** A stream whose reader takes `chunks` chunks, then waits for `goOn`. */
function slowReader(chunks: number) {
  const taken: Buffer[] = [];
  let isOpen = false;
  let goOn = () => {};
  const output = new Writable({
    highWaterMark: 1,
    write(chunk: Buffer, _, done) {
      taken.push(chunk);
      if (taken.length < chunks || isOpen) return done();
      goOn = done;
      output.emit('waiting');
    },
  });
  return {
    output,
    waiting: once(output, 'waiting'),
    goOn() {
      isOpen = true;
      goOn();
    },
    bytes: () => Buffer.concat(taken),
  };
}

test('a backup is one snapshot: applications go on, and migrations wait', async () => {
  const fleet = await createFleet(['org_a']);
  const schema = schemaNameFor('org_a');
  await fleet.query(`INSERT INTO ${schema}.notes SELECT generate_series(1, 200000)`);
  const reader = slowReader(3);
  const written = backupTenantTo(fleet.database, 'org_a', reader.output);
  await reader.waiting;
  await fleet.query(`DELETE FROM ${schema}.notes WHERE id < 1000`);
  await fleet.query(`INSERT INTO ${schema}.tags VALUES (1)`);
  await expect(
    fleet.query(`SET lock_timeout = 200; TRUNCATE ${schema}.tags; RESET lock_timeout`),
  ).rejects.toThrow('lock timeout');
  await fleet.add('20250101000003_links.sql', '-- migrate:up\nCREATE TABLE links (id int);');
  const migrated = await fleet.migrate({ lockWaitMs: 300 });
  expect(migrated.tenants[0]?.error).toMatchObject({ code: 'LOCK_TIMEOUT' });
  reader.goOn();
  const { rows, file } = await written;
  expect({ rows, file }).toEqual({ rows: 200_002, file: undefined });
  const path = join(await temporaryFolder(), 'a.tar');
  await writeFile(path, reader.bytes());
  expect((await verifyBackup(path)).manifest.measures).toMatchObject([
    { rows: 2 },
    { rows: 200_000 },
    { rows: 0 },
  ]);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
});

test('while a reader takes its time, the server hears that the backup goes on, and keeps its lock', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  onTestFinished(() => void vi.useRealTimers());
  const { database, query } = await createFleet(['org_a']);
  const reader = slowReader(1);
  const written = backupTenantTo(database, 'org_a', reader.output);
  await reader.waiting;
  const signs = await signsOfLife(query);
  vi.advanceTimersByTime(15_000);
  await signsOfLife(query, signs);
  reader.goOn();
  expect(await written).toMatchObject({ outcome: 'backed-up' });
});

test('a backup that cannot be written leaves no file, and the tenant as it was', async () => {
  const fleet = await createFleet(['org_a'], { maxConnections: 3 });
  await fleet.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 200000)`);
  const directory = await temporaryFolder();
  const taken = join(directory, 'file');
  await writeFile(taken, '');
  for (const [folder, reason] of [
    [join(directory, 'none', 'none'), 'its parent does not exist'],
    [taken, 'it is not a folder'],
  ] as const)
    expect(await refusalOf(backupTenants(fleet.database, { directory: folder }))).toMatchObject({
      code: 'FILE_UNUSABLE',
      message: `${folder} cannot be written: ${reason}.`,
    });
  const full = new Writable({
    write: (_chunk, _encoding, done) => done(Object.assign(new Error('write'), { code: 'ENOSPC' })),
  });
  expect(await refusalOf(backupTenantTo(fleet.database, 'org_a', full))).toMatchObject({
    code: 'FILE_UNUSABLE',
    message: 'The stream cannot be written: no space is left on the disk.',
    tenant: 'org_a',
  });
  await fleet.query(`COMMENT ON SCHEMA ${schemaNameFor('org_a')} IS 'x'`);
  await fleet.query(`DROP TABLE ${schemaNameFor('org_a')}.knex_migrations_tenant CASCADE`);
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_a')} CASCADE`);
  const lost = await backupTenants(fleet.database, { directory });
  expect(outcomes(lost)).toEqual({ org_a: 'SCHEMA_MISSING' });
  expect(await readdir(directory)).toEqual(['file']);
  expect(await readBackups(fleet.database, schemaNameFor('org_a'), 5)).toEqual([]);
});

test('a tenant is compared with a backup: migrations, shape, and rows in whatever order', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const schema = schemaNameFor('org_a');
  await fleet.query(`INSERT INTO ${schema}.notes VALUES (1), (2)`);
  const { tenants } = await backupTenants(fleet.database, {
    directory: await temporaryFolder(),
    tenants: ['org_a'],
  });
  const { manifest } = await verifyBackup(tenants[0]?.file ?? '');
  await fleet.query(`DELETE FROM ${schema}.notes; INSERT INTO ${schema}.notes VALUES (2), (1)`);
  expect(isAlike(await compareWithBackup(fleet.database, 'org_a', manifest))).toBe(true);
  await fleet.query(`UPDATE ${schema}.notes SET id = 7 WHERE id = 2; DROP TABLE ${schema}.tags`);
  await fleet.query(`DELETE FROM ${schema}.knex_migrations_tenant WHERE name LIKE '%tags%'`);
  const found = await compareWithBackup(fleet.database, 'org_a', manifest);
  expect(found.migrations).toEqual({ missing: ['20250101000002_tags.sql'], extra: [] });
  expect(found.shape).toContainEqual(
    expect.objectContaining({ kind: 'table', name: 'tags', difference: 'missing' }),
  );
  expect(found.tables).toEqual([
    { table: 'knex_migrations_tenant', expected: 2, found: 1 },
    { table: 'notes', expected: 2, found: 2 },
    { table: 'tags', expected: 0, found: null },
  ]);
});

test('an embedded database is backed up over its one connection', async () => {
  const embedded = await createEmbeddedDatabase();
  const database = await embedded.open();
  const project = await usualProject();
  await migrateMaster(database, { folder: project.master });
  await provisionTenants(database, ['org_a'], { folder: project.tenants });
  await embedded.query(`INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 30000)`);
  const directory = await temporaryFolder();
  const result = await backupTenants(database, { directory, tenants: ['org_a'] });
  expect(outcomes(result)).toEqual({ org_a: 'backed-up' });
  const { manifest } = await verifyBackup(result.tenants[0]?.file ?? '');
  expect(isAlike(await compareWithBackup(database, 'org_a', manifest))).toBe(true);
  const refusing = new Writable({ write: (_chunk, _encoding, done) => done(new Error('no')) });
  expect(await refusalOf(backupTenantTo(database, 'org_a', refusing))).toMatchObject({
    code: 'FILE_UNUSABLE',
  });
  expect((await backupTenants(database, { directory })).totals).toMatchObject({ backedUp: 1 });
});
