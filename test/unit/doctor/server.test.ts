import { describe, expect, it } from 'vitest';
import { connectionChecks, connectionRemedy } from '../../../src/core/doctor/connection.ts';
import { toDiagnosis } from '../../../src/core/doctor/diagnose.ts';
import { capacity } from '../../../src/core/doctor/capacity-check.ts';
import type { ServerFacts } from '../../../src/core/doctor/server-facts.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { NOW, SERVER, SETTINGS } from './doctor-facts.ts';

describe('the server', () => {
  const lineOf = (id: string, server: Partial<ServerFacts>) =>
    connectionChecks(
      { kind: 'open', settings: SETTINGS, durationMs: 1, server: { facts: { ...SERVER, ...server } } },
      { concurrency: undefined, now: NOW },
    ).find((check) => check.id === id);

  it('is a standby', () => {
    expect(lineOf('read-write', { readOnly: true, isStandby: true })).toMatchObject({
      status: 'failed',
      remedy: 'Connect to the primary server instead.',
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
      remedy: 'Set DB_DIRECT_URL=postgres://me%20%22x%22:<the value of DB_PASSWORD>@10.0.0.5:5432/my%20db',
    });
    expect(lineOf('capacity', { behindPooler: true, capacity: { usable: 97, free: 0 } })?.status).toBe('ok');
    expect(lineOf('direct-url', { behindPooler: true })?.status).toBe('skipped');
  });

  it('is too old: the connection is well, and the rest skipped', () => {
    const error = new TenantctlError('SERVER_UNSUPPORTED', 'The server is PostgreSQL 11.', {
      hint: 'Upgrade.',
    });
    const checks = connectionChecks(
      { kind: 'refused', settings: SETTINGS, error },
      { concurrency: undefined, now: NOW },
    );
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
  const withFree = (free: number, concurrency?: number, more: Partial<ServerFacts> = {}) =>
    capacity({ ...SERVER, capacity: { usable: 97, free }, concurrency, ...more });

  it('suffice where there are two more than tenants at once', () => {
    expect(withFree(6).status).toBe('ok');
    expect(withFree(5).status).toBe('warning');
    expect(withFree(10, 8).status).toBe('ok');
    expect(withFree(10, 10).status).toBe('warning');
    expect(withFree(10, 11).status).toBe('failed');
  });

  it('are to be raised where the limit binds', () => {
    expect(withFree(3, 8).remedy).toContain('SET max_connections = 107;');
    expect(withFree(3, 8, { limitOfRole: 3 }).remedy).toContain('ALTER ROLE "me ""x""" CONNECTION LIMIT 10;');
    expect(withFree(3, 8, { limitOfDatabase: 8, usedOfDatabase: 6 }).remedy).toContain(
      'ALTER DATABASE "my db" CONNECTION LIMIT 15;',
    );
  });

  it('do not matter to the embedded database, nor does TLS', () => {
    const settings = { kind: 'embedded', directory: '/x', lockWaitMs: 0 } as const;
    const checks = connectionChecks(
      { kind: 'open', settings, durationMs: 1, server: { facts: SERVER } },
      { concurrency: 50, now: NOW },
    );
    const skipped = checks.filter(({ status }) => status === 'skipped').map(({ id }) => id);
    expect(skipped).toEqual(['pooler', 'direct-url', 'tls', 'certificate', 'capacity']);
  });
});
