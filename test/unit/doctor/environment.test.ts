import { describe, expect, it } from 'vitest';
import { environmentChecks, type EnvironmentFacts } from '../../../src/core/doctor/environment-checks.ts';

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
      { variable: 'DB_PORT', message: '"x" is not a number' },
    ];
    const checks = environmentChecks('24.0.0', { ...environment, problems }).slice(3);
    expect(checks.map(({ id, detail }) => `${id}: ${detail}`)).toEqual([
      'variable-database-url: names no host; names no user',
      'variable-db-port: "x" is not a number',
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
