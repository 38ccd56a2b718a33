import { describe, expect, it } from 'vitest';
import { connectionChecks, connectionRemedy } from '../../../src/core/doctor/connection.ts';
import { toDiagnosis } from '../../../src/core/doctor/diagnosis.ts';
import { capacityCheck } from '../../../src/core/doctor/capacity-check.ts';
import type { ServerFacts } from '../../../src/core/doctor/server-facts.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { SERVER, SETTINGS } from './doctor-facts.ts';

const NOW = new Date('2026-06-01T00:00:00Z');

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
      remedy: 'Set DB_DIRECT_URL=postgres://me%20%22x%22:<the value of DB_PASSWORD>@10.0.0.5:5432/my%20db',
    });
    expect(lineOf('capacity', { behindPooler: true, capacity: { usable: 97, free: 0 } })?.status).toBe('ok');
    expect(lineOf('direct-url', { behindPooler: true })?.status).toBe('skipped');
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

  it('suffice where there are two more than tenants at once', () => {
    expect(capacityCheck(withFree(6), undefined).status).toBe('ok');
    expect(capacityCheck(withFree(5), undefined).status).toBe('warning');
    expect(capacityCheck(withFree(10), 8).status).toBe('ok');
    expect(capacityCheck(withFree(10), 10).status).toBe('warning');
    expect(capacityCheck(withFree(10), 11).status).toBe('failed');
  });

  it('are to be raised where the limit binds', () => {
    expect(capacityCheck(withFree(3), 8).remedy).toContain('SET max_connections = 107;');
    expect(capacityCheck(withFree(3, { ofRole: 3 }), 8).remedy).toContain(
      'ALTER ROLE "me ""x""" CONNECTION LIMIT 10;',
    );
    expect(capacityCheck(withFree(3, { ofDatabase: 8, usedOfDatabase: 6 }), 8).remedy).toContain(
      'ALTER DATABASE "my db" CONNECTION LIMIT 15;',
    );
  });

  it('do not matter to the embedded database', () => {
    const settings = { kind: 'embedded', directory: '/x', lockWaitMs: 0 } as const;
    const checks = connectionChecks(
      { kind: 'open', settings, durationMs: 1, server: { facts: SERVER } },
      50,
      NOW,
    );
    expect(checks.find(({ id }) => id === 'capacity')?.status).toBe('skipped');
  });
});
