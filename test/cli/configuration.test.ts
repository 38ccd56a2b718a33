import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { startChild } from '../support/child.ts';
import { PROGRAM, tenantctl } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { createFleet } from '../support/fleet.ts';
import { createProject, usualProject } from '../support/project.ts';

/** Starts a program as npx does: a Node script that was itself given the program's arguments. */
const NPX = `require('node:child_process').spawn(process.execPath, ['--', ...process.argv.slice(2)], { stdio: 'inherit' })
  .on('close', (code) => (process.exitCode = code));`;

/** Each line of the variables as an .env file. */
const envFile = (variables: Readonly<Record<string, string>>) =>
  Object.entries(variables)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');

test('one error names every problem of the variables', async () => {
  const project = await usualProject();

  const { exitCode, stdout, stderr } = await tenantctl(['migrate', 'tenants'], {
    cwd: project.folder,
    env: {
      DB_HOST: '',
      DB_PORT: '99999',
      DB_USER: 'somebody',
      DB_SSL: 'maybe',
      VECTOR_EXTENSION: 'perhaps',
      LOCK_TIMEOUT_MS: '-1',
    },
  });

  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' });
  expect(stderr.split('\n').slice(0, 7)).toEqual([
    '✖ The configuration has 6 problems: DB_PORT, DB_SSL, VECTOR_EXTENSION, LOCK_TIMEOUT_MS, DB_HOST, DB_NAME.',
    '  DB_PORT: "99999" is out of range: a port is 1 to 65535',
    '  DB_SSL: "maybe" is neither true nor false',
    '  VECTOR_EXTENSION: "perhaps" must be auto, require or off',
    '  LOCK_TIMEOUT_MS: "-1" is not a whole number of milliseconds from 0 to 2147483647',
    '  DB_HOST: is not set',
    '  DB_NAME: is not set',
  ]);
});

describe('sources of settings', () => {
  test('the environment overrides .env, and an empty value counts as unset', async () => {
    const { project, testDatabase } = await createFleet([]);
    await project.write('.env', envFile({ ...testDatabase.env, DB_NAME: 'overridden', DB_SSL: '' }));
    const status = (env: Record<string, string>) => tenantctl(['status'], { cwd: project.folder, env });

    const overridden = await status({ DB_NAME: testDatabase.settings.database, DB_HOST: '' });
    const asInFile = await status({});

    expect(overridden.exitCode).toBe(0);
    expect(asInFile.exitCode).toBe(4);
    expect(asInFile.stderr).toContain('There is no database "overridden"');
  });

  test('--dotenv is read instead of .env, and the environment overrides it too', async () => {
    const { project, testDatabase } = await createFleet([]);
    await project.write('.env', 'DB_HOST=nowhere.invalid\nDB_USER=a\nDB_NAME=b\n');
    await project.write('staging.env', envFile(testDatabase.env));

    const named = await tenantctl(['--dotenv', 'staging.env', 'status'], { cwd: project.folder });
    const overridden = await tenantctl(['status', '--dotenv=staging.env'], {
      cwd: project.folder,
      env: { DB_NAME: 'overridden' },
    });

    expect(named.exitCode).toBe(0);
    expect(overridden.stderr).toContain('There is no database "overridden"');
  });

  test('a missing env file is an error that names it, also below another Node program such as npx', async () => {
    const project = await createProject({ 'npx.cjs': NPX });
    const run = async (...args: readonly string[]) => {
      const npx = ['npx.cjs', PROGRAM, ...args];
      const { exitCode, stderr } = await startChild(process.execPath, npx, { cwd: project.folder }).done;
      return { exitCode, stderr: stderr.split('\n')[0] };
    };
    const missing = (name: string) => ({
      exitCode: 3,
      stderr: `✖ The env file ${join(project.folder, name)} does not exist.`,
    });

    expect(await run('--dotenv', 'absent.env', 'status')).toEqual(missing('absent.env'));
    expect(await run('status', '--dotenv=absent.env')).toEqual(missing('absent.env'));
  });

  test('--env-file means --dotenv, and the last of both counts', async () => {
    const project = await createProject({ 'a.env': '' });
    const missing = `The env file ${join(project.folder, 'b.env')} does not exist.`;

    for (const args of [
      '--env-file=b.env',
      '--dotenv a.env --env-file b.env',
      '--env-file a.env --dotenv b.env',
    ]) {
      const { exitCode, stderr } = await tenantctl(['status', ...args.split(' ')], { cwd: project.folder });
      expect(exitCode).toBe(3);
      expect(stderr).toContain(missing);
    }
  });

  test('a database URL in the environment replaces the parts in .env', async () => {
    const { project, testDatabase } = await createFleet([]);
    await project.write('.env', 'DB_HOST=nowhere.invalid\nDB_USER=a\nDB_NAME=b\nDB_SSL=false\n');

    const { exitCode } = await tenantctl(['status'], {
      cwd: project.folder,
      env: { DATABASE_URL: testDatabase.url },
    });

    expect(exitCode).toBe(0);
  });

  test('two databases in one source are refused', async () => {
    const project = await usualProject();

    const { exitCode, stderr } = await tenantctl(['status'], {
      cwd: project.folder,
      env: { DATABASE_URL: 'postgres://a@b/c', DB_HOST: 'd', DB_PASSWORD: 'e' },
    });

    expect(exitCode).toBe(3);
    expect(stderr).toContain('DATABASE_URL: is set together with DB_HOST, DB_PASSWORD: choose one database');
  });
});

test('a misspelt variable in .env is warned of, and named beside the one that is missing', async () => {
  const { project, testDatabase } = await createFleet([]);
  const { DB_HOST = '', ...others } = testDatabase.env;
  await project.write('.env', envFile({ ...others, DB_HOST, DB_SLL: 'true' }));
  const warned = await tenantctl(['status'], { cwd: project.folder });
  await project.write('.env', envFile({ ...others, DB_HSOT: DB_HOST }));
  const refused = await tenantctl(['status'], { cwd: project.folder });
  const doctor = await tenantctl(['doctor'], { cwd: project.folder });

  expect(warned).toMatchObject({
    exitCode: 0,
    stderr: '! DB_SLL is unknown and ignored; the variable is called DB_SSL.\n',
  });
  expect(refused.exitCode).toBe(3);
  expect(refused.stderr).toContain(
    '  DB_HOST: is not set\n  DB_HSOT: is unknown and ignored; the variable is called DB_HOST\n',
  );
  expect(doctor.stdout).toContain('the variable is called DB_HOST');
});

describe('DATABASE_URL', () => {
  test('works in its usual forms, and ignores parameters of other programs', async () => {
    const { project, testDatabase } = await createFleet([]);
    const status = (url: string) =>
      tenantctl(['status'], { cwd: project.folder, env: { DATABASE_URL: url } });

    const long = await status(testDatabase.url.replace(/^postgres:/, 'postgresql:'));
    const disabled = await status(`${testDatabase.url}?sslmode=disable&connect_timeout=5`);
    const prisma = await status(`${testDatabase.url}?schema=public&connection_limit=5`);

    expect([long.exitCode, disabled.exitCode, prisma.exitCode]).toEqual([0, 0, 0]);
    expect([long.stderr, disabled.stderr]).toEqual(['', '']);
    expect(prisma.stderr).toBe(
      '! DATABASE_URL has parameters that tenantctl does not know: schema, connection_limit. They are ignored.\n',
    );
  });

  test('with an sslmode is refused if DB_SSL is set too', async () => {
    const project = await usualProject();

    const { exitCode, stderr } = await tenantctl(['status'], {
      cwd: project.folder,
      env: { DATABASE_URL: 'postgres://a:b@c/d?sslmode=require', DB_SSL: 'true', DB_SSL_CERT_PATH: 'x.pem' },
    });

    expect(exitCode).toBe(3);
    expect(stderr).toContain('has an sslmode, and DB_SSL, DB_SSL_CERT_PATH is set too: say it in one place');
  });
});

describe('folders', () => {
  test('a variable that names a missing folder is a configuration error', async () => {
    const { project, testDatabase } = await createFleet([]);

    const { exitCode, stderr } = await tenantctl(['migrate', 'tenants'], {
      cwd: project.folder,
      env: { ...testDatabase.env, TENANT_MIGRATIONS_DIR: 'elsewhere' },
    });

    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      `TENANT_MIGRATIONS_DIR: ${join(project.folder, 'elsewhere')} is not a directory`,
    );
  });

  test('a missing or empty default folder is an error that names the command to create it', async () => {
    const { env } = await createDatabase();
    const project = await createProject();
    const call = { cwd: project.folder, env };

    const empty = await tenantctl(['migrate', 'master'], call);
    await project.remove('migrations');
    const missing = await tenantctl(['migrate', 'master'], call);
    const followed = await tenantctl(['init'], call);
    const works = await tenantctl(['migrate', 'master'], call);

    expect(empty).toMatchObject({
      exitCode: 1,
      stderr:
        `✖ There are no master migrations in ${project.master}.\n` +
        '→ Run tenantctl init: it writes the first one, which creates the registry.\n',
    });
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toContain(
      `There is no migrations folder ${project.master}.\n→ Run tenantctl init here`,
    );
    expect([followed.exitCode, works.exitCode]).toEqual([0, 0]);
  });
});
