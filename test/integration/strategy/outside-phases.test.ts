import { expect, test } from 'vitest';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { idOf } from '../../support/remember.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];
const logged = (name: string) => `INSERT INTO public.log (schema, name) SELECT current_schema(), '${name}';`;

/** Tenants that are due two migrations in a transaction, one outside, and one more in a transaction. */
async function dueFleet(organizations = ORGANIZATIONS, outside = ''): Promise<TestFleet> {
  const fleet = await createFleet(organizations);
  await fleet.query(
    'CREATE TABLE public.log (n serial, schema text, name text, tx bigint DEFAULT txid_current())',
  );
  await fleet.add('3_before.sql', `-- migrate:up\nCREATE TABLE before_it ();\n${logged('3')}`);
  await fleet.add('4_before.sql', `-- migrate:up\nCREATE TABLE before_it_too ();\n${logged('4')}`);
  await fleet.add(
    '5_outside.sql',
    `-- migrate:up transaction:false\n${outside}\nCREATE INDEX CONCURRENTLY notes_it ON notes (id);\n${logged('5')}`,
  );
  await fleet.add('6_after.sql', `-- migrate:up\nCREATE TABLE after_it ();\n${logged('6')}`);
  return fleet;
}

const log = (fleet: TestFleet) =>
  fleet.query<{ schema: string; name: string; tx: string }>(
    'SELECT schema, name, tx FROM public.log ORDER BY n',
  );

const ALL = ['3_before.sql', '4_before.sql', '5_outside.sql', '6_after.sql'];

test('all tenants are brought up to the migration outside a transaction before it is run for any, and then further', async () => {
  const fleet = await dueFleet();
  const events: RunEvent[] = [];
  const result = await fleet.migrate({ observe: (event) => events.push(event) });
  expect(result.totals).toMatchObject({ changed: 5, failed: 0 });
  expect((await log(fleet)).map(({ name }) => name).join('')).toMatch(/^[34]{10}5{5}6{5}$/);
  for (const organization of ORGANIZATIONS) {
    expect(resultOf(result, organization)).toMatchObject({ outcome: 'migrated', names: ALL, batch: 2 });
    expect((await fleet.history(organization)).slice(2)).toEqual(ALL.map((name) => `${name}@2`));
  }
  // The parts in a transaction go to the later tenants as one string.
  const [, , third] = await fleet.query<{ text: string }>(
    `SELECT count(DISTINCT tx)::int AS text FROM public.log WHERE name IN ('3', '4') GROUP BY schema`,
  );
  expect(third).toEqual({ text: 1 });
  const ends = events.filter((event) => event.type === 'tenant');
  expect(ends.map(({ done }) => done)).toEqual([1, 2, 3, 4, 5]);
  expect(ends.every(({ due, result: { names } }) => due === 5 && names.length === 4)).toBe(true);
  expect(await fleet.query('SELECT schema_name FROM tenantctl.trusted_stamps')).toHaveLength(5);
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 5, changed: 0 });
});

test('a tenant that fails in one phase goes no further, and the others do', async () => {
  const fleet = await dueFleet(ORGANIZATIONS, 'SELECT 1 / count(*) FROM notes;');
  for (const organization of ORGANIZATIONS.slice(1))
    await fleet.query(`INSERT INTO ${schemaNameFor(organization)}.notes VALUES (1)`);
  const result = await fleet.migrate();
  expect(result.totals).toMatchObject({ changed: 4, failed: 1 });
  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'failed',
    names: ['3_before.sql', '4_before.sql'],
    batch: 2,
    error: { migration: '5_outside.sql', sqlstate: '22012' },
  });
  expect(await fleet.tables('org_a')).not.toContain('after_it');
  const [state] = (await fleet.status()).states;
  expect(state).toMatchObject({ attention: { code: 'FAILED' }, pending: ['5_outside.sql', '6_after.sql'] });
});

test('a failure that is remembered is forgotten when the tenant is through all phases, not before', async () => {
  const fleet = await dueFleet(['org_a']);
  await fleet.query(
    `INSERT INTO tenantctl.tenant_failures (tenant, command, error) VALUES (${idOf(schemaNameFor('org_a'))}, 'migrate tenants', '{"code": "MIGRATION_FAILED", "message": "earlier"}')`,
  );
  const stop = new AbortController();
  const observe = (event: RunEvent) => {
    if (event.type === 'phase' && event.message.startsWith('Outside')) stop.abort();
  };
  const result = await fleet.migrate({ observe, signal: stop.signal });
  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'skipped',
    names: ['3_before.sql', '4_before.sql'],
    reason: 'the run was interrupted',
  });
  expect(result.interrupted).toBe(true);
  expect(await fleet.query('SELECT FROM tenantctl.tenant_failures')).toHaveLength(1);
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 1 });
  expect(await fleet.query('SELECT FROM tenantctl.tenant_failures')).toHaveLength(0);
});

test('the canaries go through all of their plan before the first wave begins', async () => {
  const fleet = await dueFleet();
  const result = await fleet.migrate({ rollout: { canary: { tenants: ['org_c'] } } });
  expect(result.totals).toMatchObject({ changed: 5 });
  const rows = await log(fleet);
  expect(rows.slice(0, 4).map(({ schema, name }) => `${schema} ${name}`)).toEqual(
    ['3', '4', '5', '6'].map((name) => `${schemaNameFor('org_c')} ${name}`),
  );
});

test('two runs at once share them, apply everything once, and neither waits for the other for ever', async () => {
  const fleet = await dueFleet(ORGANIZATIONS, WAIT_AT_GATE);
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(6), fleet.project);
  const gate = await closeGate(fleet.testDatabase);
  const first = fleet.migrate({ lockTimeoutMs: 30_000 });
  await gate.reached();
  // The second one plans when all tenants are on their way already.
  const second = other.migrate({ lockTimeoutMs: 30_000 });
  await gate.reached(2);
  await gate.open();
  const results = await Promise.all([first, second]);
  expect(results.map(({ totals }) => totals.failed)).toEqual([0, 0]);
  for (const organization of ORGANIZATIONS) {
    const rows = (await log(fleet)).filter(({ schema }) => schema === schemaNameFor(organization));
    expect(rows.map(({ name }) => name)).toEqual(['3', '4', '5', '6']);
    const history = (await fleet.history(organization)).slice(2);
    expect(history.map((row) => row.split('@')[0])).toEqual(ALL);
  }
});
