import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { renderDiagnosis } from '../../src/cli/render/doctor.ts';
import { failed, kebab, ok, skipped, warning } from '../../src/core/doctor/check.ts';
import { connectionChecks } from '../../src/core/doctor/connection-checks.ts';
import { connectionRemedy } from '../../src/core/doctor/connection-remedy.ts';
import { decide } from '../../src/core/doctor/decide.ts';
import { toDiagnosis } from '../../src/core/doctor/diagnosis.ts';
import { environmentChecks, type EnvironmentFacts } from '../../src/core/doctor/environment-checks.ts';
import { lockChecks } from '../../src/core/doctor/lock-checks.ts';
import { listed, provisionCommand, shellWord } from '../../src/core/doctor/remedy.ts';
import type { ServerFacts } from '../../src/core/doctor/server-facts.ts';
import { tlsChecks } from '../../src/core/doctor/tls-checks.ts';
import { capacityCheck } from '../../src/core/doctor/capacity-check.ts';
import { vectorCheck, type VectorFacts } from '../../src/core/doctor/vector-check.ts';
import type { ServerSettings } from '../../src/db/connection.ts';
import { TenantctlError } from '../../src/errors.ts';

const NOW = new Date('2026-06-01T00:00:00Z');

const SETTINGS: ServerSettings = {
  kind: 'server',
  host: 'db.example.com',
  port: 5432,
  user: 'me "x"',
  database: 'my db',
  ssl: false,
  connectTimeoutMs: 1,
};
const WITH_TLS: ServerSettings = { ...SETTINGS, ssl: { rejectUnauthorized: true } };

const SERVER: ServerFacts = {
  version: '17.2',
  role: 'me "x"',
  isSuperuser: false,
  database: 'my db',
  sharedSession: false,
  behindPooler: false,
  address: '10.0.0.5',
  port: 5432,
  readOnly: false,
  isStandby: false,
  readOnlySource: 'default',
  capacity: { usable: 97, free: 90 },
  limits: { maxConnections: 100, ofDatabase: -1, ofRole: -1, usedOfDatabase: 1, usedOfRole: 1 },
  offersTls: true,
  encrypted: true,
  socket: {
    protocol: 'TLSv1.3',
    certificate: { subject: 'db', issuer: 'CA', validTo: new Date('2027-01-01T00:00:00Z') },
  },
};

const certificateUntil = (validTo: string): ServerFacts => ({
  ...SERVER,
  socket: { protocol: 'TLSv1.3', certificate: { subject: 'db', issuer: 'CA', validTo: new Date(validTo) } },
});

describe('Node and the variables', () => {
  const environment: EnvironmentFacts = {
    file: { path: '/p/.env', found: true },
    variables: [
      { name: 'DB_HOST', shown: 'localhost' },
      { name: 'DB_PASSWORD', shown: 'set' },
    ],
    problems: [],
    warnings: [],
  };

  it.each([
    ['22.18.0', 'ok'],
    ['24.0.0', 'ok'],
    ['22.17.9', 'failed'],
    ['20.20.2', 'failed'],
  ])('Node %s is %s', (version, status) => {
    expect(environmentChecks(version, undefined)).toMatchObject([{ id: 'node', status }]);
  });

  it('lists what is set, the secret ones without a value', () => {
    expect(environmentChecks('24.0.0', environment)[2]?.detail).toBe('DB_HOST=localhost, DB_PASSWORD set');
  });

  it('has one line for each variable at fault, whatever is wrong with it', () => {
    const problems = [
      { variable: 'DATABASE_URL', message: 'names no host' },
      { variable: 'DATABASE_URL', message: 'names no user' },
      { variable: 'DB_PORT', message: '"x" is no number' },
    ];
    const checks = environmentChecks('24.0.0', { ...environment, problems }).slice(3);
    expect(checks.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([
      'variable-database-url: names no host; names no user',
      'variable-db-port: "x" is no number',
    ]);
    expect(checks[1]?.remedy).toContain('DB_PORT=5432');
  });

  it.each([
    ['DATABASE_URL', 'is set together with DB_HOST, DB_USER: choose one database', 'remove DB_HOST, DB_USER'],
    [
      'DATABASE_URL',
      'has an sslmode, and DB_SSL is set too: say it in one place',
      'sslmode from DATABASE_URL and set DB_SSL=true',
    ],
    ['DATABASE_URL', 'has sslmode=allow; tenantctl knows disable', 'sslmode=verify-full'],
    ['DB_HOST', 'is not set', '--embedded'],
    ['DB_SSL_CERT_PATH', 'the file /x does not exist', 'curl -o ssl/rds'],
  ])('%s: "%s" has the remedy "%s"', (variable, message, part) => {
    const problems = [{ variable, message }];
    expect(environmentChecks('24.0.0', { ...environment, problems })[3]?.remedy).toContain(part);
  });

  it('warns of settings that work and should not stay so', () => {
    const warnings = ["DB_SSL_REJECT_UNAUTHORIZED=false: the server's certificate is not checked"];
    expect(environmentChecks('24.0.0', { ...environment, warnings })[3]).toMatchObject({
      id: 'variable-db-ssl-reject-unauthorized',
      status: 'warning',
      remedy: expect.stringContaining('DB_SSL_REJECT_UNAUTHORIZED=true'),
    });
  });
});

describe('TLS', () => {
  const status = (settings: ServerSettings, server: ServerFacts) =>
    tlsChecks(settings, server, NOW).map((check) => check.status);

  it.each(['localhost', '127.0.0.1', '::1', '/var/run/postgresql'])('may be absent at %s', (host) => {
    expect(status({ ...SETTINGS, host }, SERVER)).toEqual(['ok', 'skipped']);
  });

  it.each(['db.example.com', '10.0.0.5', '127.example.com'])('is missed at %s', (host) => {
    expect(status({ ...SETTINGS, host }, SERVER)).toEqual(['warning', 'skipped']);
  });

  it('is to be turned on at a server that does not offer it', () => {
    const [check] = tlsChecks(SETTINGS, { ...SERVER, offersTls: false }, NOW);
    expect(check?.remedy).toContain('ALTER SYSTEM SET ssl = on');
  });

  it('is believed to pg_stat_ssl, unless a pooler is in between', () => {
    expect(status(WITH_TLS, SERVER)).toEqual(['ok', 'ok']);
    expect(status(WITH_TLS, { ...SERVER, encrypted: false })).toEqual(['failed', 'ok']);
    const [check] = tlsChecks(WITH_TLS, { ...SERVER, encrypted: false, behindPooler: true }, NOW);
    expect(check).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('cannot be seen from here'),
    });
  });

  it.each([
    ['2026-07-02T00:00:00Z', 'ok'],
    ['2026-06-30T00:00:00Z', 'warning'],
    ['2026-06-01T01:00:00Z', 'warning'],
    ['2026-05-31T23:00:00Z', 'failed'],
  ])('has a certificate until %s: %s', (validTo, expected) => {
    expect(status(WITH_TLS, certificateUntil(validTo))[1]).toBe(expected);
  });

  it('does not apply to the embedded database', () => {
    const embedded = { kind: 'embedded', directory: '/x', lockWaitMs: 0 } as const;
    expect(tlsChecks(embedded, SERVER, NOW).map((check) => check.status)).toEqual(['skipped', 'skipped']);
  });
});

describe('the server', () => {
  const lineOf = (id: string, server: Partial<ServerFacts>) =>
    connectionChecks(
      { kind: 'open', settings: SETTINGS, durationMs: 1, server: { facts: { ...SERVER, ...server } } },
      undefined,
      NOW,
    ).find((check) => check.id === id);

  it('is a standby', () => {
    expect(lineOf('read-write', { readOnly: true, isStandby: true })).toMatchObject({
      status: 'failed',
      remedy: 'Set DB_HOST (and DB_PORT) to the primary server.',
    });
  });

  it.each([
    ['database', 'ALTER DATABASE "my db" RESET'],
    ['user', 'ALTER ROLE "me ""x""" RESET'],
    ['database user', 'ALTER ROLE "me ""x""" IN DATABASE "my db" RESET'],
    ['configuration file', 'ALTER SYSTEM SET default_transaction_read_only = off'],
  ])('is read-only by its setting for the %s', (readOnlySource, part) => {
    expect(lineOf('read-write', { readOnly: true, readOnlySource })?.remedy).toContain(part);
  });

  it('is behind a pooler', () => {
    expect(lineOf('pooler', { behindPooler: true })).toMatchObject({
      status: 'warning',
      remedy: 'Connect to PostgreSQL itself: set DB_HOST=10.0.0.5 and DB_PORT=5432',
    });
  });

  it('is too old: the connection is well, and the rest skipped', () => {
    const error = new TenantctlError('SERVER_UNSUPPORTED', 'The server is PostgreSQL 11.', {
      hint: 'Upgrade.',
    });
    const checks = connectionChecks({ kind: 'refused', settings: SETTINGS, error }, undefined, NOW);
    expect(checks.slice(0, 3).map((check) => check.status)).toEqual(['ok', 'failed', 'skipped']);
    expect(toDiagnosis(checks).error?.code).toBe('DOCTOR_FAILED');
  });

  it.each([
    [{ code: 'DATABASE_MISSING' }, 'CREATE DATABASE "my db" OWNER "me ""x""";'],
    [{ code: 'LOGIN_FAILED', sqlstate: '28P01' }, 'ALTER ROLE "me ""x""" PASSWORD'],
    [{ code: 'CONNECTION_FAILED', sqlstate: '42501' }, 'GRANT CONNECT ON DATABASE "my db" TO "me ""x""";'],
    [{ code: 'LOGIN_FAILED', sqlstate: '28000', message: 'role "a" is not permitted to log in' }, 'LOGIN;'],
    [
      { code: 'LOGIN_FAILED', sqlstate: '28000', message: 'no pg_hba.conf entry', hint: 'the hint' },
      'the hint',
    ],
  ] as const)('refuses with %o', (given, part) => {
    const { code, sqlstate, message, hint } = {
      sqlstate: undefined,
      message: 'no',
      hint: undefined,
      ...given,
    };
    const error = new TenantctlError(code, message, { sqlstate, hint });
    expect(connectionRemedy(error, SETTINGS)).toContain(part);
  });
});

describe('the connections', () => {
  const withFree = (free: number, limits: Partial<ServerFacts['limits']> = {}): ServerFacts => ({
    ...SERVER,
    capacity: { usable: 97, free },
    limits: { ...SERVER.limits, ...limits },
  });

  it('suffice where there is one more than tenants at once', () => {
    expect(capacityCheck(withFree(5), undefined).status).toBe('ok');
    expect(capacityCheck(withFree(4), undefined).status).toBe('warning');
    expect(capacityCheck(withFree(10), 9).status).toBe('ok');
    expect(capacityCheck(withFree(10), 10).status).toBe('warning');
    expect(capacityCheck(withFree(10), 11).status).toBe('failed');
  });

  it('are to be raised where the limit binds', () => {
    expect(capacityCheck(withFree(3), 8).remedy).toContain('SET max_connections = 106;');
    expect(capacityCheck(withFree(3, { ofRole: 3 }), 8).remedy).toContain(
      'ALTER ROLE "me ""x""" CONNECTION LIMIT 9;',
    );
    expect(capacityCheck(withFree(3, { ofDatabase: 8, usedOfDatabase: 6 }), 8).remedy).toContain(
      'ALTER DATABASE "my db" CONNECTION LIMIT 14;',
    );
  });

  it('do not matter to the embedded database', () => {
    expect(capacityCheck({ ...SERVER, sharedSession: true }, 50).status).toBe('skipped');
  });
});

describe('pgvector', () => {
  const facts = (more: Partial<VectorFacts>): VectorFacts => ({
    schema: undefined,
    available: true,
    mayCreate: true,
    serverMajor: '17',
    ...more,
  });

  it.each([
    ['in public', { schema: 'public' }, 'require', 'a.ts', 'ok'],
    ['elsewhere, needed', { schema: 'x' }, 'auto', 'a.ts', 'failed'],
    ['elsewhere, not needed', { schema: 'x' }, 'auto', undefined, 'warning'],
    ['to be created by the next run', {}, 'require', 'a.ts', 'warning'],
    ['not to be created by this role', { mayCreate: false }, 'require', undefined, 'failed'],
    ['not to be created by this role, not needed', { mayCreate: false }, 'auto', undefined, 'warning'],
    ['not there, not needed', { available: false }, 'auto', undefined, 'ok'],
    ['not there, needed', { available: false }, 'auto', 'a.ts', 'failed'],
    ['not there, required', { available: false }, 'require', undefined, 'failed'],
    ['turned off', { schema: 'x' }, 'off', 'a.ts', 'skipped'],
  ] as const)('%s', (_, more, mode, neededBy, expected) => {
    const check = vectorCheck(facts(more), mode, neededBy);
    expect(check.status).toBe(expected);
    expect(check.remedy !== undefined).toBe(expected === 'failed' || expected === 'warning');
  });
});

describe('the answer', () => {
  const bad = failed('registry', 'no', 'do this');

  it('is well where nothing failed', () => {
    const { error, totals } = toDiagnosis([ok('node', ''), warning('tls', '', 'x'), skipped('pooler', '')]);
    expect(error).toBeUndefined();
    expect(totals).toEqual({ ok: 1, warnings: 1, failed: 0, skipped: 1 });
  });

  it('has the code of the configuration before that of the connection before its own', () => {
    const configuration = failed({ id: 'variable-db-port', title: 'DB_PORT' }, '', 'x', 'CONFIG_INVALID');
    const connection = failed('connection', '', 'x', 'LOGIN_FAILED');
    expect(toDiagnosis([configuration, connection, bad]).error?.code).toBe('CONFIG_INVALID');
    expect(toDiagnosis([connection, bad]).error?.code).toBe('LOGIN_FAILED');
    expect(toDiagnosis([bad]).error?.code).toBe('DOCTOR_FAILED');
  });

  it('skips all that needs a database where there is none', () => {
    const checks = decide({
      options: { nodeVersion: '24.0.0', database: undefined },
      now: NOW,
      folders: undefined,
      connection: { kind: 'not-configured' },
      contents: undefined,
    });
    expect(new Set(checks.slice(1).map(({ status }) => status))).toEqual(new Set(['skipped']));
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
  });

  it('stands in columns, the remedy under its line', () => {
    const paint = new Chalk({ level: 0 });
    const checks = [ok('node', '24.0.0'), failed('own-public', 'no', 'one;\ntwo;'), skipped('tls', 'why')];
    expect(renderDiagnosis(toDiagnosis(checks), paint)).toBe(
      [
        '✔ Node.js     24.0.0',
        '✖ Own public  no',
        '  → one;',
        '    two;',
        '· TLS         why',
        '',
        '✖ 3 checks: 1 ok, 0 warnings, 1 failed, 1 skipped',
      ].join('\n'),
    );
  });
});

describe('an interrupted migration', () => {
  const remedyFor = (direction: 'up' | 'down', schema: string) =>
    lockChecks({
      columns: undefined,
      isTable: false,
      notUnique: [],
      masterHistory: { entries: [], lockedByKnex: false },
      stateVersion: 1,
      tenantSchemas: 0,
      intents: [{ schema, migration: "a'b.ts", direction, startedAt: NOW, atWork: false }],
      fleet: undefined,
    }).find(({ id }) => id === 'intents')?.remedy;

  it('that was going up is recorded, that was going down is forgotten, each in its own history', () => {
    expect(remedyFor('up', 'tid_x')).toContain(
      `INSERT INTO "tid_x"."knex_migrations_tenant" (name, batch, migration_time) SELECT 'a''b.ts',`,
    );
    expect(remedyFor('down', 'public')).toContain(
      `DELETE FROM "public"."knex_migrations_master" WHERE name = 'a''b.ts';`,
    );
  });
});

describe('words in remedies', () => {
  it('are quoted for the shell where they need it', () => {
    expect(['org_1', 'a b', "o'rg", '$x', ''].map(shellWord)).toEqual([
      'org_1',
      "'a b'",
      `'o'\\''rg'`,
      "'$x'",
      "''",
    ]);
    expect(provisionCommand(['a', '-b'])).toBe('tenantctl tenant provision -- a -b');
  });

  it('are listed up to five', () => {
    expect(listed(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe('a, b, c, d, e and 2 more');
    expect(kebab('20250101_A b.ts')).toBe('20250101-a-b-ts');
  });
});
