import { describe, expect, it } from 'vitest';
import { readEnvironment } from '../../../src/config/environment.ts';
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

  /** The lines of the variables at fault. */
  const linesOf = (variables: Readonly<Record<string, string>>) => {
    const { problems, warnings } = readEnvironment(variables, { folder: '/p' });
    return environmentChecks('24.0.0', { ...environment, problems, warnings }).slice(3);
  };
  const URL = 'postgres://u:p@h/d';
  const SERVER = { DB_HOST: 'h', DB_USER: 'u', DB_NAME: 'd' };

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['DATABASE_URL', { ...SERVER, DATABASE_URL: URL }, 'or remove DB_HOST, DB_USER, DB_NAME'],
    [
      'DATABASE_URL',
      { DATABASE_URL: `${URL}?sslmode=require`, DB_SSL: 'true' },
      'Remove sslmode from the URL',
    ],
    ['DATABASE_URL', { DATABASE_URL: `${URL}?sslmode=allow` }, 'sslmode=verify-full'],
    ['DATABASE_URL', { DATABASE_URL: `${URL}?sslcert=x` }, 'Remove those parameters from DATABASE_URL'],
    ['DATABASE_URL', { DATABASE_URL: 'postgres://u:p/x@h/d' }, '/ as %2F'],
    ['DB_HOST', { DB_USER: 'u', DB_NAME: 'd' }, '--embedded'],
    ['DB_SSL_CERT_PATH', { ...SERVER, DB_SSL: 'true', DB_SSL_CERT_PATH: '/none' }, 'curl -o ssl/rds'],
  ])('%s has a remedy that fits what is wrong with it: %o', (variable, variables, part) => {
    const [check] = linesOf(variables);
    expect(check).toMatchObject({ title: variable, status: 'failed' });
    expect(check?.remedy).toContain(part);
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['DB_SSL_REJECT_UNAUTHORIZED', { DB_SSL: 'true' }, 'Set DB_SSL_REJECT_UNAUTHORIZED=true'],
    ['DB_SSL_CERT_PATH', {}, 'Set DB_SSL=true.'],
  ])('warns of %s where it works and should not stay so', (variable, more, part) => {
    const value = variable === 'DB_SSL_CERT_PATH' ? '/x' : 'false';
    const [check] = linesOf({ ...SERVER, ...more, [variable]: value });
    expect(check).toMatchObject({
      title: variable,
      status: 'warning',
      remedy: expect.stringContaining(part),
    });
  });
});
