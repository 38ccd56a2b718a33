import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readEnvironment, requireSettings } from '../../../src/config/environment.ts';
import { VARIABLES } from '../../../src/config/variables.ts';
import { mergeSources, readEnvFile } from '../../../src/config/sources.ts';
import type { ServerSettings } from '../../../src/db/database.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';
import { createProject } from '../../support/project.ts';

const FOLDER = '/nowhere/project';
const PARTS = { DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'd' };

const read = (variables: Readonly<Record<string, string>>, embedded?: string | true) =>
  readEnvironment(variables, { folder: FOLDER, embedded });
const problemsOf = (variables: Readonly<Record<string, string>>) =>
  read(variables).problems.map(({ variable, message }) => `${variable} ${message}`);
const databaseOf = (variables: Readonly<Record<string, string>>, embedded?: string | true) =>
  requireSettings(read(variables, embedded)).database;

test("ORIGIN.md's variables give a server, with defaults for the rest", () => {
  const settings = requireSettings(read({ ...PARTS, DB_PORT: '6543', DB_PASSWORD: 'p', DB_SSL: 'false' }));

  expect(settings).toEqual({
    database: {
      kind: 'server',
      host: 'h',
      port: 6543,
      user: 'u',
      password: 'p',
      database: 'd',
      ssl: false,
      connectTimeoutMs: 10_000,
    },
    folders: {
      master: join(FOLDER, 'migrations/master'),
      tenants: join(FOLDER, 'migrations/tenants'),
      seeds: join(FOLDER, 'seeds/tenants'),
      masterIsNamed: false,
      tenantsIsNamed: false,
      seedsIsNamed: false,
      repeatableIsNamed: false,
    },
    tlsFiles: {},
    names: DEFAULT_NAMES,
    vectorExtension: 'auto',
    lockTimeoutMs: 5_000,
    statementTimeoutMs: undefined,
    retries: undefined,
    lockWaitMs: 60_000,
  });
});

test.for([
  [{ DB_PORT: '0' }, 'DB_PORT "0" is out of range: a port is 1 to 65535'],
  [{ DB_PORT: '65536' }, 'DB_PORT "65536" is out of range: a port is 1 to 65535'],
  [{ DB_PORT: '54x' }, 'DB_PORT "54x" is not a number'],
  [{ DB_SSL: 'si' }, 'DB_SSL "si" is neither true nor false'],
  [{ DB_HOST: 'h:5432' }, 'DB_HOST "h:5432" holds a port: put that into DB_PORT'],
  [{ DB_HOST: 'h,i' }, 'DB_HOST "h,i" names several hosts: tenantctl connects to one, the primary'],
  [{ DB_HOST: '[::1]' }, 'DB_HOST "[::1]" is in brackets: write an IPv6 address without them'],
  [
    { DB_HOST: 'postgres://u:secret@h/d' },
    'DB_HOST is a URL, not the name of a host: set DATABASE_URL to it instead',
  ],
  [
    { DB_HOST: 'u:secret@h' },
    'DB_HOST holds more than the name of a host: set DATABASE_URL to the whole URL',
  ],
  [{ DB_PORT: '5432\nDB_PASSWORD=secret' }, 'DB_PORT is not a number'],
  [{ DB_PORT: '5432 DB_PASSWORD=secret' }, 'DB_PORT is not a number'],
  [{ MASTER_MIGRATIONS_DIR: 'file:///x' }, 'MASTER_MIGRATIONS_DIR is a URL, not a path'],
  [
    { CONNECT_TIMEOUT_MS: '1.5' },
    'CONNECT_TIMEOUT_MS "1.5" is not a whole number of milliseconds from 0 to 2147483647',
  ],
  [
    { LOCK_WAIT_TIMEOUT_MS: '9999999999' },
    'LOCK_WAIT_TIMEOUT_MS "9999999999" is not a whole number of milliseconds from 0 to 2147483647',
  ],
  [{ RETRIES: 'many' }, 'RETRIES "many" is not a whole number from 0 to 100'],
  [{ RUNS_KEEP: '0' }, 'RUNS_KEEP "0" is not a whole number from 1 to 10000'],
  [{ RETRIES: '101' }, 'RETRIES "101" is not a whole number from 0 to 100'],
  [
    { STATEMENT_TIMEOUT_MS: '-1' },
    'STATEMENT_TIMEOUT_MS "-1" is not a whole number of milliseconds from 0 to 2147483647',
  ],
  [
    { TENANT_ROLE: '{tenant}_owner' },
    'TENANT_ROLE "{tenant}_owner" holds {tenant}: only {schema} is replaced, by the tenant\'s schema',
  ],
  [{ TENANT_ROLE: 'none' }, 'TENANT_ROLE "none" is a name that PostgreSQL reserves'],
  [{ VECTOR_EXTENSION: 'on' }, 'VECTOR_EXTENSION "on" must be auto, require or off'],
  [{ DB_EMBEDDED: 'x' }, 'DB_EMBEDDED is set together with DB_HOST, DB_USER, DB_NAME: choose one database'],
] as const)('%o: %s', ([variables, problem]) => {
  expect(problemsOf({ ...PARTS, ...variables })).toEqual([problem]);
});

test('host, user and database have no default', () => {
  expect(problemsOf({})).toEqual(['DB_HOST is not set', 'DB_USER is not set', 'DB_NAME is not set']);
});

test('a host may be the folder of a socket, or an IPv6 address', () => {
  expect(databaseOf({ ...PARTS, DB_HOST: '/var/run/postgresql' })).toMatchObject({
    host: '/var/run/postgresql',
  });
  expect(databaseOf({ ...PARTS, DB_HOST: '::1' })).toMatchObject({ host: '::1' });
});

test.for(['true', 'TRUE', ' yes ', 'on', '1'])(
  'DB_SSL=%s turns TLS on, and checks the certificate',
  (value) => {
    expect(databaseOf({ ...PARTS, DB_SSL: value })).toMatchObject({ ssl: { rejectUnauthorized: true } });
  },
);

test('a certificate without DB_SSL, and one that is not checked, are warned of', () => {
  const warnings = (variables: Readonly<Record<string, string>>) =>
    read({ ...PARTS, ...variables }).warnings.map(({ message }) => message);

  expect(warnings({ DB_SSL_CERT_PATH: 'x.pem' })).toEqual([expect.stringContaining('is not encrypted')]);
  expect(warnings({ DB_SSL: 'true', DB_SSL_REJECT_UNAUTHORIZED: 'false' })).toEqual([
    expect.stringContaining('is not checked'),
  ]);
  expect(warnings({ DB_SSL: 'false', DB_SSL_CERT_PATH: 'x.pem' })).toEqual([]);
});

describe('DATABASE_URL', () => {
  test.for([
    [
      'postgres://u:p@h:1234/d',
      { host: 'h', port: 1234, user: 'u', password: 'p', database: 'd', ssl: false },
    ],
    ['postgresql://u@h/d', { host: 'h', port: 5432, user: 'u', database: 'd' }],
    ['postgres://u%40x:p%2F%25@h/d%20e', { user: 'u@x', password: 'p/%', database: 'd e' }],
    ['postgres://u@[::1]:5433/d', { host: '::1', port: 5433 }],
    ['postgres://u@/d?host=/var/run/postgresql', { host: '/var/run/postgresql', database: 'd' }],
    ['postgres://u@%2Fa%2Ffolder:5433/d', { host: '/a/folder', port: 5433 }],
    ['postgres://u@h/d?sslmode=disable', { ssl: false }],
    ['postgres://u@h/d?sslmode=verify-full', { ssl: { rejectUnauthorized: true } }],
    ['postgres://u@h/d?connect_timeout=3', { connectTimeoutMs: 3_000 }],
  ] as const)('%s', ([url, database]) => {
    expect(databaseOf({ DATABASE_URL: url })).toMatchObject(database);
  });

  test.for([
    ['mysql://u@h/d', 'is not a URL of the form postgres://user:password@host:port/database'],
    ['h:5432', 'is not a URL of the form postgres://user:password@host:port/database'],
    ['postgres://u:p@h:99999/d', 'names the port 99999, out of range: 1 to 65535'],
    ['postgres://u:p@h:0/d', 'names the port 0, out of range: 1 to 65535'],
    ['postgres://u:p@:5432/d', 'names no host'],
    ['postgres://u:p@::1/d', 'holds an IPv6 address that must be in brackets, without a zone: [::1]'],
    [
      'postgres://u:p@[fe80::1%25eth0]:5432/d',
      'holds an IPv6 address that must be in brackets, without a zone: [::1]',
    ],
    ['"postgres://u:p@h/d"', 'is in quotes: remove them'],
    ['postgres://u@h/d?service=x', 'has parameters that tenantctl does not take from a URL: service'],
    [
      'postgres://u@/d?host=/tmp&port=5433',
      'has parameters that tenantctl does not take from a URL: port; the port stands after the host, that of a socket too: postgres://user@%2Fa%2Ffolder:5433/database',
    ],
    ['postgres://u:99999', 'is not a URL of the form postgres://user:password@host:port/database'],
    [
      'postgres://u:p%@h/d',
      'holds a "%" that does not begin an escape: in a user or password write % as %25',
    ],
    ['postgres://u@h/d#e', 'holds a #: write it as %23'],
    ['postgres://u@h/d\ne', 'holds a control character'],
    ['postgres://u@h/d%00', 'has a control character in its database'],
    ['postgres://u@h/d?sslmode=disable&sslmode=verify-full', 'has a parameter more than once: sslmode'],
    [
      'postgres://u@h/d?require_auth=scram-sha-256&requirepeer=x',
      'has parameters that tenantctl does not take from a URL: require_auth, requirepeer',
    ],
    ['postgres://u@h', 'names no database'],
    ['postgres://h/d', 'names no user'],
    ['postgres://u@h,i/d', 'names several hosts; tenantctl connects to one, the primary'],
    ['postgres://u:p@h:5432,i:5433/d', 'names several hosts; tenantctl connects to one, the primary'],
    [
      'postgres://u@h/d?sslmode=prefer',
      'has sslmode=prefer; tenantctl knows disable, require and verify-full, and checks the certificate in the last two',
    ],
    ['postgres://u@h/d?connect_timeout=soon', 'has a connect_timeout that is not a number of seconds'],
    [
      'postgres://u@h/d?sslrootcert=x&options=-c',
      'has parameters that tenantctl does not take from a URL: sslrootcert, options; certificates are named by DB_SSL_CERT_PATH, DB_SSL_CLIENT_CERT_PATH and DB_SSL_CLIENT_KEY_PATH',
    ],
  ] as const)('%s is refused: %s', ([url, problem]) => {
    expect(problemsOf({ DATABASE_URL: url })).toEqual([`DATABASE_URL ${problem}`]);
  });

  test.for([
    'p/w@h/d',
    'p?w@h/d',
    'p#w@h/d',
    '1/w@h/d',
    '1#w@h/d',
    '1?w@h:5432/d?sslmode=require',
    // An "@" of the password ends what looks like the user's part.
    'p@s/w@h/d',
    'p@s#w@h/d',
    'p@s?w@h/d',
    'p@s/w?x@h/d?sslmode=require',
  ])('postgres://u:%s: the password that was not encoded is recognised, and not shown', (rest) => {
    expect(problemsOf({ DATABASE_URL: `postgres://u:${rest}` })).toEqual([
      'DATABASE_URL holds a /, ? or # before its host: in a user or password write @ as %40, / as %2F, ? as %3F, # as %23, : as %3A, % as %25',
    ]);
  });

  test.for([
    ['postgres://u:p@ss:w0rd@h/d', { user: 'u', password: 'p@ss:w0rd', host: 'h' }],
    ['postgres://u@h/d?application_name=a@b', { host: 'h', database: 'd' }],
  ] as const)('%s needs no encoding', ([url, settings]) => {
    expect(databaseOf({ DATABASE_URL: url })).toMatchObject(settings);
  });

  test('an sslmode and DB_SSL at once are refused', () => {
    expect(problemsOf({ DATABASE_URL: 'postgres://u@h/d?sslmode=disable', DB_SSL: 'true' })).toEqual([
      expect.stringContaining('has an sslmode, and DB_SSL is set too'),
    ]);
  });
});

describe('the embedded database', () => {
  test('is what --embedded says, else DB_EMBEDDED, else the usual folder', () => {
    const folder = (variables: Readonly<Record<string, string>>, flag?: string | true) =>
      databaseOf(variables, flag);

    expect(folder({ DB_EMBEDDED: 'a' })).toMatchObject({ kind: 'embedded', directory: join(FOLDER, 'a') });
    expect(folder({ DB_EMBEDDED: 'a' }, true)).toMatchObject({ directory: join(FOLDER, 'a') });
    expect(folder({ DB_EMBEDDED: 'a' }, 'b')).toMatchObject({ directory: join(FOLDER, 'b') });
    expect(folder(PARTS, true)).toMatchObject({ directory: join(FOLDER, '.tenantctl/embedded') });
  });

  test('is never chosen by itself', () => {
    expect(() => requireSettings(read({}))).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', hint: expect.stringContaining('add --embedded') }),
    );
  });
});

describe('sources', () => {
  test('the environment is over the file, and an empty value is none', () => {
    expect(
      mergeSources({ DB_HOST: 'outer', DB_USER: ' ' }, { DB_HOST: 'inner', DB_USER: 'inner', DB_NAME: '' }),
    ).toEqual({ DB_HOST: 'outer', DB_USER: 'inner' });
  });

  test('another way of naming the database in the environment drops the one in the file', () => {
    const file = { DB_HOST: 'h', DB_PASSWORD: 'p', DB_SSL: 'true' };

    expect(mergeSources({ DATABASE_URL: 'postgres://x' }, file)).toEqual({
      DATABASE_URL: 'postgres://x',
      DB_SSL: 'true',
    });
    expect(mergeSources({ DB_EMBEDDED: 'x' }, { DATABASE_URL: 'y' })).toEqual({ DB_EMBEDDED: 'x' });
  });

  test('an .env file is read, not executed; it may be absent unless it was named', async () => {
    const { folder } = await createProject({
      '.env': `# a comment\nDB_NAME="a b"\nDB_HOST=$HOME\nexport DB_USER=u\n`,
    });
    await mkdir(join(folder, 'a-folder'));

    expect(readEnvFile(folder, undefined).variables).toEqual({
      DB_NAME: 'a b',
      DB_HOST: '$HOME',
      DB_USER: 'u',
    });
    expect(readEnvFile(join(folder, 'a-folder'), undefined)).toEqual({ variables: {}, warnings: [] });
    for (const [name, reason] of [
      ['absent.env', 'does not exist'],
      ['a-folder', 'is a folder, not a file'],
    ] as const) {
      expect(() => readEnvFile(folder, name)).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: `The env file ${join(folder, name)} ${reason}.`,
        }),
      );
    }
  });
});

test('migrations and seeds are where they are named, or where ORIGIN.md has them if the usual folder is absent', async () => {
  const project = await createProject({
    'src/tenants/migrations/1_x.js': '',
    'src/tenants/seeds/1_x.js': '',
  });
  const foldersOf = (variables: Readonly<Record<string, string>> = {}) =>
    readEnvironment(variables, { folder: project.folder }).folders;

  const usual = foldersOf();
  await project.remove('migrations');
  const origin = foldersOf();
  const named = foldersOf({ TENANT_MIGRATIONS_DIR: 'db/tenants', TENANT_SEEDS_DIR: 'db/seeds' });

  expect(usual.tenants).toBe(project.tenants);
  expect(origin).toMatchObject({
    master: project.master,
    tenants: join(project.folder, 'src/tenants/migrations'),
    seeds: join(project.folder, 'src/tenants/seeds'),
  });
  expect(named).toMatchObject({ tenants: join(project.folder, 'db/tenants'), tenantsIsNamed: true });
  expect(named).toMatchObject({ seeds: join(project.folder, 'db/seeds'), seedsIsNamed: true });
});

describe('DB_DIRECT_URL', () => {
  test('is a second way to the database, with the TLS of the first unless it says otherwise', () => {
    const direct = (variables: Readonly<Record<string, string>>) => {
      const database = databaseOf({ ...PARTS, ...variables });
      return database.kind === 'server' ? database.direct : undefined;
    };
    const url = 'postgres://me:secret@past:5433/d';
    expect(direct({})).toBeUndefined();
    expect(direct({ DB_DIRECT_URL: url })).toEqual({
      source: 'DB_DIRECT_URL',
      host: 'past',
      port: 5433,
      user: 'me',
      password: 'secret',
      database: 'd',
      ssl: false,
      connectTimeoutMs: 10_000,
    });
    expect(direct({ DB_DIRECT_URL: url, DB_SSL: 'true' })?.ssl).toEqual({ rejectUnauthorized: true });
    expect(direct({ DB_DIRECT_URL: `${url}?sslmode=require` })?.ssl).toEqual({ rejectUnauthorized: true });
  });

  test('keeps the TLS that DATABASE_URL asks for', () => {
    expect(
      databaseOf({
        DATABASE_URL: 'postgres://u@pooler/d?sslmode=verify-full',
        DB_DIRECT_URL: 'postgres://u@past/d',
      }),
    ).toMatchObject({ ssl: { rejectUnauthorized: true }, direct: { ssl: { rejectUnauthorized: true } } });
  });

  test.for([
    [{ DB_DIRECT_URL: 'mysql://u:secret@h/d' }, 'is not a URL of the form'],
    [{ DB_DIRECT_URL: 'postgres://u:secret@h' }, 'names no database'],
    [{ DB_DIRECT_URL: 'postgres://u:secret@h/d?sslmode=require', DB_SSL: 'true' }, 'has an sslmode'],
  ] as const)('%o is a problem: %s', ([variables, problem]) => {
    const problems = problemsOf({ ...PARTS, ...variables });
    expect(problems).toEqual([expect.stringContaining(`DB_DIRECT_URL ${problem}`)]);
    expect(problems.join()).not.toContain('secret');
  });

  test('goes with the database of its file', () => {
    const file = { DATABASE_URL: 'postgres://u@old/d', DB_DIRECT_URL: 'postgres://u@past/d' };
    expect(mergeSources({ DATABASE_URL: 'postgres://u@new/d' }, file)).not.toHaveProperty('DB_DIRECT_URL');
    expect(mergeSources({ DB_EMBEDDED: 'x' }, file)).not.toHaveProperty('DB_DIRECT_URL');
    expect(mergeSources({}, file)).toHaveProperty('DB_DIRECT_URL');
    const { DB_DIRECT_URL } = file;
    expect(mergeSources({ DATABASE_URL: 'x' }, { DB_DIRECT_URL })).toHaveProperty('DB_DIRECT_URL');
    expect(mergeSources({ DB_PASSWORD: 'x' }, { ...PARTS, DB_DIRECT_URL })).toHaveProperty('DB_DIRECT_URL');
  });
});

test('an env file that every user may change has a warning', async () => {
  const { folder } = await createProject({ '.env': 'DB_HOST=h\n' });
  expect(readEnvFile(folder, undefined).warnings).toEqual([]);
  await chmod(join(folder, '.env'), 0o666);
  expect(readEnvFile(folder, undefined).warnings).toMatchObject([
    { variable: join(folder, '.env'), message: 'can be changed by every user of this machine' },
  ]);
});

test('a password is taken from PGPASSWORD, else from the password file, which only its owner may read', async () => {
  const { folder } = await createProject({
    pgpass: '# h:*:*:*:comment\nother:*:*:*:no\nh:5432:d:u:it\\:s \\\\ mine\n*:*:*:*:any',
  });
  const passwordOf = (variables: Readonly<Record<string, string>>) => {
    const { settings, warnings } = readEnvironment(
      { ...PARTS, PGPASSFILE: 'pgpass', ...variables },
      { folder },
    );
    const password = (settings?.database as ServerSettings | undefined)?.password;
    return [typeof password === 'function' ? password() : password, warnings.map(({ message }) => message)];
  };
  const path = join(folder, 'pgpass');
  await chmod(path, 0o640);
  expect(passwordOf({})).toEqual([
    undefined,
    [`the password file ${path} is ignored, because others than its owner have access to it`],
  ]);
  await chmod(path, 0o600);
  expect(passwordOf({})).toEqual(['it:s \\ mine', []]);
  expect(passwordOf({ DB_NAME: 'e' })).toEqual(['any', []]);
  expect(passwordOf({ PGPASSWORD: 'p' })).toEqual(['p', []]);
  expect(passwordOf({ PGPASSWORD: 'p', DB_PASSWORD: 'q' })).toEqual(['q', []]);
  expect(passwordOf({ PGPASSFILE: 'none' })[1]).toEqual([
    `the password file ${join(folder, 'none')} does not exist`,
  ]);
});

test('variables of other programs are named where they seem to be meant, and refused where the driver obeys them', () => {
  const warningsOf = (variables: Readonly<Record<string, string>>) =>
    read(variables).warnings.map(({ variable, message }) => `${variable} ${message}`);
  expect(warningsOf({ PGHOST: 'h', DB_USER: 'u', DB_NAME: 'd', PGUSER: 'v' })).toEqual([
    'PGHOST is not read: the variable is called DB_HOST',
  ]);
  expect(warningsOf({ ...PARTS, PGHOST: 'i', PGSSLMODE: 'prefer' })).toEqual([]);
  expect(warningsOf({ ...PARTS, PGSSLMODE: 'require' })).toEqual([
    'PGSSLMODE is not read: the variable is called DB_SSL',
  ]);
  expect(warningsOf({ ...PARTS, PGSSLMODE: 'require', DB_SSL: 'true' })).toEqual([]);
  expect(problemsOf({ ...PARTS, PGREPLICATION: 'database' })).toEqual([
    'PGREPLICATION is set: the driver would obey it, and tenantctl does not work with it',
  ]);
});

test('the variables that are read are the documented ones', () => {
  expect([...VARIABLES].toSorted()).toEqual([
    'CONNECT_TIMEOUT_MS',
    'DATABASE_URL',
    'DB_DIRECT_URL',
    'DB_EMBEDDED',
    'DB_HOST',
    'DB_NAME',
    'DB_PASSWORD',
    'DB_PORT',
    'DB_SSL',
    'DB_SSL_CERT_PATH',
    'DB_SSL_CLIENT_CERT_PATH',
    'DB_SSL_CLIENT_KEY_PATH',
    'DB_SSL_REJECT_UNAUTHORIZED',
    'DB_USER',
    'LOCK_TIMEOUT_MS',
    'LOCK_WAIT_TIMEOUT_MS',
    'MASTER_HISTORY_TABLE',
    'MASTER_MIGRATIONS_DIR',
    'PGPASSFILE',
    'PGPASSWORD',
    'RECORDINGS',
    'REGISTRY_COLUMNS',
    'REGISTRY_STATUSES',
    'REGISTRY_TABLE',
    'RETRIES',
    'RUNS_KEEP',
    'STATEMENT_TIMEOUT_MS',
    'TENANTCTL_RUN_LABEL',
    'TENANT_HISTORY_TABLE',
    'TENANT_MASK_KEY',
    'TENANT_MIGRATIONS_DIR',
    'TENANT_REPEATABLE_DIR',
    'TENANT_ROLE',
    'TENANT_SCHEMA_PREFIX',
    'TENANT_SEEDS_DIR',
    'VECTOR_EXTENSION',
  ]);
});
