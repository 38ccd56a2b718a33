import { expect, test } from 'vitest';
import { isPatient } from '../../../src/core/apply/statement-patience.ts';
import { resolutionCommands } from '../../../src/core/state/resolution-commands.ts';
import { deadClientSettings } from '../../../src/db/dead-client.ts';

const nameIn = (clerkOrgId: string | undefined, schema = 'tid_0123456789') =>
  /^tenantctl resolve (.*) --applied$/.exec(resolutionCommands({ clerkOrgId, schema }).applied)?.[1];

test.each([
  ['org_2abc', 'org_2abc'],
  ["o'rg 1", `'o'\\''rg 1'`],
  ['$(reboot)', `'$(reboot)'`],
  ['Åse', `'Åse'`],
])('the organization id %j is quoted for a shell', (id, word) => {
  expect(nameIn(id)).toBe(word);
});

test.each(['master', '--retry', '-x'])(
  'the organization id %j, which means something else to the command, gives way to the name of the schema',
  (id) => {
    expect(nameIn(id)).toBe('tid_0123456789');
  },
);

test('the master schema has a name of its own', () => {
  expect(nameIn(undefined, 'public')).toBe('master');
  expect(nameIn(undefined, 'tid_x')).toBe('tid_x');
});

test.each([
  ['CREATE INDEX CONCURRENTLY a ON b (c)', true],
  ['-- why\n/* and\nhow */ create unique index\nconcurrently if not exists a on b (c)', true],
  ['DROP INDEX CONCURRENTLY a', true],
  ['REINDEX INDEX CONCURRENTLY a', true],
  ['REINDEX (VERBOSE, CONCURRENTLY) TABLE a', true],
  ['ALTER TABLE a DETACH PARTITION b CONCURRENTLY', true],
  ['REFRESH MATERIALIZED VIEW CONCURRENTLY a', false],
  ['CREATE INDEX a ON b (c) -- not CONCURRENTLY', false],
  ['ALTER TABLE a ADD concurrently int', false],
  [`SELECT 'CREATE INDEX CONCURRENTLY'`, false],
])('%j waits for as long as it takes: %s', (text, patient) => {
  expect(isPatient(text)).toBe(patient);
});

test.each([
  ['PostgreSQL 15.4 on x86_64-pc-linux-gnu', 150_004, true, true, true],
  ['PostgreSQL 12.22 on aarch64-unknown-linux-musl', 120_022, false, true, true],
  ['PostgreSQL 16.1 on aarch64-apple-darwin23', 160_001, true, true, false],
  ['PostgreSQL 16.1, compiled by Visual C++ build 1937', 160_001, false, false, false],
])('%s is asked to look after its client by what it has', (build, serverVersion, check, keepalive, user) => {
  const settings = deadClientSettings({ build, serverVersion, sharedSession: false });
  expect(Object.keys(settings)).toContain('idle_in_transaction_session_timeout');
  expect('client_connection_check_interval' in settings).toBe(check);
  expect('tcp_keepalives_idle' in settings).toBe(keepalive);
  expect('tcp_user_timeout' in settings).toBe(user);
});

test('whatever a client is doing, a server learns within a minute that it is gone', () => {
  const settings = deadClientSettings({ build: 'linux', serverVersion: 180_000, sharedSession: false });
  const of = (name: string) => settings[name] ?? Number.NaN;
  const probes = of('tcp_keepalives_idle') + of('tcp_keepalives_interval') * of('tcp_keepalives_count');
  const waits = [of('idle_in_transaction_session_timeout'), of('tcp_user_timeout'), probes * 1_000];
  for (const wait of waits) expect(wait + of('client_connection_check_interval')).toBeLessThan(55_000);
});
