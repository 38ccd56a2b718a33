import { describe, expect, it } from 'vitest';
import { doctorCommand } from '../../../src/cli/commands/doctor.ts';
import { createContext } from '../../../src/cli/run/context.ts';
import { exitCodeOf } from '../../../src/cli/run/exit-code.ts';
import { listenForSignals } from '../../../src/cli/run/signals.ts';
import { createOutput } from '../../../src/cli/terminal/output.ts';
import type { Check } from '../../../src/core/doctor/check.ts';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { tenantctl } from '../../support/cli.ts';
import { createDatabase, createEmbeddedDatabase } from '../../support/database.ts';
import { freePort } from '../../support/postgres-programs.ts';
import { usualProject } from '../../support/project.ts';
import { examine, failures, line, remedyOf } from './examine.ts';

interface Document {
  command: string;
  ok: boolean;
  checks: Check[];
  totals: { ok: number; warnings: number; failed: number; skipped: number };
  error?: { code: string };
}

describe('a project that is in order', () => {
  it('has no failed line, before the first migration and after the first tenant', async () => {
    const database = await createDatabase();
    const project = await usualProject();
    const before = await examine(project, database.settings);
    expect(failures(before)).toEqual([]);
    expect(before.error).toBeUndefined();
    expect(line(before, 'registry')).toMatchObject({ status: 'warning', remedy: 'tenantctl migrate master' });

    const open = await database.open();
    await migrateMaster(open, { folder: project.master });
    await provisionTenants(open, ['org_1', 'org_2'], { folder: project.tenants, vectorExtension: 'off' });
    const after = await examine(project, database.settings);
    expect(failures(after)).toEqual([]);
    expect(line(after, 'registry')).toMatchObject({
      status: 'ok',
      detail: 'public.tenants, 2 tenants (2 ACTIVE)',
    });
    expect(line(after, 'tenant-histories').status).toBe('ok');
    // The project's migrations are .sql files: that alone is worth a warning.
    expect(after.checks.filter(({ status }) => status === 'warning').map(({ id }) => id)).toEqual([
      'knex-sql',
    ]);
  });

  it('is told as one JSON document and as lines, with exit code 0', async () => {
    const database = await createDatabase();
    const project = await usualProject();
    const env = { ...database.env, VECTOR_EXTENSION: 'off' };
    const asJson = await tenantctl(['doctor', '--json'], { cwd: project.folder, env });
    const document = asJson.json<Document>();
    expect(asJson.exitCode).toBe(0);
    expect(document).toMatchObject({ command: 'doctor', ok: true });
    const { ok, warnings, failed, skipped } = document.totals;
    expect(ok + warnings + failed + skipped).toBe(document.checks.length);
    expect(new Set(document.checks.map(({ id }) => id)).size).toBe(document.checks.length);
    expect(document.checks.every(({ id }) => /^[a-z0-9]+(-[a-z0-9]+)*$/.test(id))).toBe(true);

    const asText = await tenantctl(['doctor'], { cwd: project.folder, env });
    expect(asText.exitCode).toBe(0);
    expect(asText.stdout).toContain('✔ Connection');
    expect(asText.stdout).toContain('→ tenantctl migrate master');
    expect(asText.stderr).toBe('');
  });

  it('is looked at in the embedded database too', async () => {
    const database = await createEmbeddedDatabase();
    const project = await usualProject();
    const diagnosis = await examine(project, database.settings, { vectorExtension: 'auto' });
    expect(failures(diagnosis)).toEqual([]);
    for (const id of ['pooler', 'tls', 'certificate', 'capacity']) {
      expect(line(diagnosis, id)).toMatchObject({ status: 'skipped' });
      expect(line(diagnosis, id).detail).toContain('does not apply');
    }
  });
});

describe('a configuration that is not', () => {
  it('has a failed line for each variable, and skips what needs a database', async () => {
    const project = await usualProject();
    const env = { DB_PORT: 'abc', DB_SSL: 'perhaps' };
    const { exitCode, stdout, stderr } = await tenantctl(['doctor', '--json'], { cwd: project.folder, env });
    const { checks, error } = JSON.parse(stdout) as Document;
    const failed = checks.filter(({ status }) => status === 'failed');
    expect(failed.map(({ id }) => id)).toEqual([
      'variable-db-port',
      'variable-db-ssl',
      'variable-db-host',
      'variable-db-user',
      'variable-db-name',
    ]);
    expect(failed.every(({ remedy }) => remedy !== undefined)).toBe(true);
    expect(checks.find(({ id }) => id === 'connection')?.status).toBe('skipped');
    expect([exitCode, error?.code, stderr]).toEqual([3, 'CONFIG_INVALID', '']);
  });

  it('is told when the env file that was named is not there', async () => {
    // Not as a child process: Node itself ends with 9 there (https://github.com/nodejs/node/issues/54232).
    const options = { json: true, quiet: true, verbose: false, color: false };
    const interruption = listenForSignals(() => {});
    interruption.stop();
    const context = createContext({ dotenv: 'missing.env' }, createOutput(options), interruption);
    const { document, error } = await doctorCommand(context, {});
    expect(exitCodeOf(error)).toBe(3);
    const check = line(document as Document, 'env-file');
    expect(check.status).toBe('failed');
    expect(check.detail).toContain('missing.env does not exist');
  });

  it('names a folder that a variable names and that is not there', async () => {
    const database = await createDatabase();
    const project = await usualProject();
    const result = await tenantctl(['doctor', '--json'], {
      cwd: project.folder,
      env: { ...database.env, TENANT_MIGRATIONS_DIR: 'no such folder' },
    });
    expect(result.exitCode).toBe(3);
    const check = line(result.json<Document>(), 'tenant-folder');
    expect(check).toMatchObject({ status: 'failed', code: 'CONFIG_INVALID' });
    expect(remedyOf(check)).toContain(`mkdir -p '${project.folder}/no such folder'`);
  });

  it('looks at seeds and repeatable scripts, if there are any or a variable names their folder', async () => {
    const database = await createDatabase();
    const project = await usualProject({
      'seeds/tenants/1_bad.mjs': 'export const up = 1;',
      'repeatable/tenants/1_fine.sql': 'SELECT 1;',
    });
    const call = async (env: Readonly<Record<string, string>>) => {
      const options = { cwd: project.folder, env: { ...database.env, ...env } };
      return (await tenantctl(['doctor', '--json'], options)).json<Document>();
    };
    const found = await call({});
    expect(line(found, 'seed-file-1-bad-mjs')).toMatchObject({ status: 'failed', code: 'SEED_INVALID' });
    expect(line(found, 'repeatable-files')).toMatchObject({ status: 'ok' });
    const absent = await call({ TENANT_SEEDS_DIR: 'nowhere', TENANT_REPEATABLE_DIR: 'nowhere' });
    for (const [id, variable] of [
      ['seed-folder', 'TENANT_SEEDS_DIR'],
      ['repeatable-folder', 'TENANT_REPEATABLE_DIR'],
    ] as const)
      expect(line(absent, id)).toMatchObject({
        code: 'CONFIG_INVALID',
        detail: expect.stringContaining(variable),
      });
  });

  it('never shows a password', async () => {
    const project = await usualProject({
      '.env': 'DB_PASSWORD=hunter2secret\nDB_HOST=postgres://me:s3same@host/db\n',
    });
    for (const args of [['doctor'], ['doctor', '--json']]) {
      const { stdout, stderr } = await tenantctl(args, { cwd: project.folder });
      expect(stdout + stderr).toContain('DB_PASSWORD set');
      expect(stdout + stderr).not.toMatch(/hunter2secret|s3same/);
    }
    const url = `postgres://me:hunter2secret@127.0.0.1:${await freePort()}/db`;
    const { stdout, stderr } = await tenantctl(['doctor', '--json'], {
      cwd: (await usualProject()).folder,
      env: { DATABASE_URL: url },
    });
    expect(stdout).toContain('DATABASE_URL set');
    expect(stdout + stderr).not.toContain('hunter2secret');
  });
});

describe('a connection that is not to be had', () => {
  it('is a failed line with exit code 4, and what is behind it is skipped', async () => {
    const project = await usualProject();
    const port = await freePort();
    const result = await tenantctl(['doctor', '--json'], {
      cwd: project.folder,
      env: { DB_HOST: '127.0.0.1', DB_PORT: String(port), DB_USER: 'me', DB_NAME: 'mine' },
    });
    const document = result.json<Document>();
    expect([result.exitCode, document.error?.code]).toEqual([4, 'CONNECTION_FAILED']);
    expect(failures(document)).toEqual([expect.stringContaining('nothing listens there')]);
    expect(line(document, 'registry')).toMatchObject({ status: 'skipped', detail: 'there is no connection' });
  });

  it('for want of the database tells how to create it, and that works', async () => {
    const database = await createDatabase();
    const missing = `${database.settings.database} "odd"`;
    const settings = { ...database.settings, database: missing };
    const project = await usualProject();
    const before = await examine(project, settings);
    expect(before.error?.code).toBe('DATABASE_MISSING');
    await database.query(remedyOf(line(before, 'connection')));
    try {
      expect(failures(await examine(project, settings))).toEqual([]);
    } finally {
      await database.query(`DROP DATABASE "${missing.replaceAll('"', '""')}"`);
    }
  });
});
