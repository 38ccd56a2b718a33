import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { migrateMaster } from '../../../src/core/commands/migrate-master.ts';
import { provisionTenants } from '../../../src/core/tenant/provision.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { createDatabase, type TestServerDatabase } from '../../support/database.ts';
import { usualProject } from '../../support/project.ts';
import { examine, failures, line, remedyOf } from './examine.ts';
import { until } from '../../support/gate.ts';

/** A role with an awkward name and no rights, and a database of its own to be tried on; both dropped at the end. */
async function createRoleAndDatabase(): Promise<{ role: string; database: TestServerDatabase }> {
  const role = `doctor "x" ${randomBytes(4).toString('hex')}`;
  const quoted = `"${role.replaceAll('"', '""')}"`;
  await asSuperuser(`CREATE ROLE ${quoted} LOGIN PASSWORD 'doctor'`);
  // Hooks run last first: the database with what the role owns in it goes before the role.
  onTestFinished(() => asSuperuser(`DROP ROLE ${quoted}`));
  return { role, database: await createDatabase() };
}

async function asSuperuser(statement: string): Promise<void> {
  const client = new Client({ connectionString: inject('serverUrl') });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

describe('a role without rights', () => {
  it('gets them by the remedies, after which it can do everything', async () => {
    const { role, database } = await createRoleAndDatabase();
    const settings = { ...database.settings, user: role, password: 'doctor' };
    const project = await usualProject();
    await database.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');

    const before = await examine(project, settings);
    expect(failures(before).map((each) => each.split(':')[0])).toEqual([
      'create-schemas',
      'own-public',
      'create-in-public',
    ]);
    expect(before.error?.code).toBe('DOCTOR_FAILED');
    await database.query(remedyOf(line(before, 'create-schemas')));
    await database.query(remedyOf(line(before, 'own-public')));

    const after = await examine(project, settings);
    expect(failures(after)).toEqual([]);
    expect(line(after, 'own-public').status).toBe('ok');
    const open = await openDatabase(settings, { maxConnections: 3 });
    try {
      await migrateMaster(open, { folder: project.master });
      const [result] = await provisionTenants(open, ['org_1'], {
        folder: project.tenants,
        vectorExtension: 'off',
      });
      expect(result?.outcome).toBe('provisioned');
    } finally {
      await open.close();
    }
  });

  it('that may create in public, and does not own it, is warned', async () => {
    const { role, database } = await createRoleAndDatabase();
    const settings = { ...database.settings, user: role, password: 'doctor' };
    const project = await usualProject();
    await database.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    const before = await examine(project, settings);
    await database.query(remedyOf(line(before, 'create-in-public')));
    const after = await examine(project, settings);
    expect(line(after, 'create-in-public').status).toBe('ok');
    expect(line(after, 'own-public').status).toBe('warning');
  });

  it('that owns the database has the rights of pg_database_owner in public', async () => {
    const { role, database } = await createRoleAndDatabase();
    await database.query(
      `ALTER DATABASE ${database.settings.database} OWNER TO "${role.replaceAll('"', '""')}"`,
    );
    const { version } = (
      await database.query<{ version: number }>(
        `SELECT current_setting('server_version_num')::int AS version`,
      )
    )[0] ?? { version: 0 };
    const check = line(
      await examine(await usualProject(), { ...database.settings, user: role, password: 'doctor' }),
      'own-public',
    );
    expect(check.status).toBe(version >= 150_000 ? 'ok' : 'warning');
  });

  it('gets at tables and tenant schemas that another role made', async () => {
    const { role, database } = await createRoleAndDatabase();
    const settings = { ...database.settings, user: role, password: 'doctor' };
    const project = await usualProject();
    const open = await database.open();
    await migrateMaster(open, { folder: project.master });
    await provisionTenants(open, ['org_1', "o'rg 2"], { folder: project.tenants, vectorExtension: 'off' });
    const quoted = `"${role.replaceAll('"', '""')}"`;
    await database.query(`GRANT CREATE ON DATABASE ${database.settings.database} TO ${quoted}`);
    await database.query(`ALTER SCHEMA public OWNER TO ${quoted}`);

    const first = await examine(project, settings);
    expect(failures(first).map((each) => each.split(':')[0])).toEqual(['table-rights']);
    expect(line(first, 'registry')).toMatchObject({ status: 'skipped' });
    await database.query(remedyOf(line(first, 'table-rights')));

    const second = await examine(project, settings);
    expect(failures(second).map((each) => each.split(':')[0])).toEqual(['tenant-rights']);
    await database.query(remedyOf(line(second, 'tenant-rights')));

    const third = await examine(project, settings);
    expect(failures(third)).toEqual([]);
    expect(line(third, 'tenant-histories').detail).toBe('2 ACTIVE tenants, all up to date');
  });

  it('is told how a role comes to be that does not exist', async () => {
    const { database } = await createRoleAndDatabase();
    const user = `nobody "x" ${randomBytes(4).toString('hex')}`;
    const check = line(
      await examine(await usualProject(), { ...database.settings, user, password: 'no such password' }),
      'connection',
    );
    expect(check.status).toBe('failed');
    expect(remedyOf(check)).toContain(`CREATE ROLE "${user.replaceAll('"', '""')}" LOGIN`);
    expect(JSON.stringify(check)).not.toContain('no such password');
  });
});

describe('a database that may only be read', () => {
  it('is a failed line whose remedy makes it writable again', async () => {
    const database = await createDatabase();
    const project = await usualProject();
    await database.query(
      `ALTER DATABASE ${database.settings.database} SET default_transaction_read_only = on`,
    );
    const before = await examine(project, database.settings);
    expect(line(before, 'read-write')).toMatchObject({ status: 'failed', code: 'SERVER_READ_ONLY' });
    for (const statement of remedyOf(line(before, 'read-write')).split(/(?<=;) /)) {
      expect(statement).toMatch(/;$/);
    }
    await database.query(remedyOf(line(before, 'read-write')));
    expect(failures(await examine(project, database.settings))).toEqual([]);
  });
});

describe('the connections', () => {
  it('that a role may have are counted, and the remedy allows more', async () => {
    const { role, database } = await createRoleAndDatabase();
    const quoted = `"${role.replaceAll('"', '""')}"`;
    await database.query(`ALTER ROLE ${quoted} CONNECTION LIMIT 6`);
    const settings = { ...database.settings, user: role, password: 'doctor' };
    const project = await usualProject();
    expect(line(await examine(project, settings), 'capacity').status).toBe('ok');
    // A backend outlives its client for a moment, and would count.
    const gone = () =>
      until(
        async () =>
          (await database.query('SELECT FROM pg_stat_activity WHERE usename = $1', [role])).length === 0,
        'the connection to be gone',
      );
    await gone();
    const check = line(await examine(project, settings, { concurrency: 8 }), 'capacity');
    expect(check).toMatchObject({ status: 'failed', code: 'CONCURRENCY_TOO_HIGH' });
    expect(remedyOf(check)).toContain('--concurrency 4');
    await database.query(remedyOf(check).slice(remedyOf(check).indexOf('ALTER')));
    await gone();
    expect(line(await examine(project, settings, { concurrency: 8 }), 'capacity').status).toBe('ok');
  });
});
