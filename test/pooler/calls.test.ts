import { Client } from 'pg';
import { expect, onTestFinished, test } from 'vitest';
import { openTenants } from '../../src/app/tenants.ts';
import { addWho, openPool, TWO, whoIs } from '../support/application.ts';
import { createDatabase } from '../support/database.ts';
import { createFleet } from '../support/fleet.ts';
import { FIFTY_ORGANIZATIONS, mixCalls, whoFleet } from '../support/mixed-calls.ts';
import { startPgBouncer } from '../support/pgbouncer.ts';
import { LEAKY_FUNCTIONS, SESSION_STATE, WAYS_TO_LEAK } from '../support/ways-to-leak.ts';

test('5,000 calls each, direct and through a pooler, with errors, cancels, timeouts and savepoints: none is wrong', async () => {
  const testDatabase = await createDatabase();
  await testDatabase.query(whoFleet(FIFTY_ORGANIZATIONS));
  const pooler = await startPgBouncer(testDatabase, { size: 3, lines: ['server_round_robin = 1'] });
  for (const url of [testDatabase.url, pooler.url]) {
    const pool = openPool({ connectionString: url, max: 8 });
    const wrong = await mixCalls(openTenants(pool), FIFTY_ORGANIZATIONS, { calls: 5000, concurrency: 12 });
    expect(wrong).toEqual([]);
    expect(pool.idleCount).toBe(pool.totalCount);
  }
});

test('nothing that a call may try stays in the one session that all clients share', async () => {
  const fleet = await createFleet(TWO);
  await addWho(fleet, TWO);
  await fleet.query(LEAKY_FUNCTIONS);
  onTestFinished(() => fleet.query('DROP ROLE leaky_role_of_tests').then(() => undefined));
  const pooler = await startPgBouncer(fleet.testDatabase, { size: 1 });
  const tenants = openTenants(openPool({ connectionString: pooler.url, max: 2 }));
  const observer = new Client({ connectionString: pooler.url });
  await observer.connect();
  onTestFinished(() => observer.end());
  const state = async () => (await observer.query(SESSION_STATE)).rows;
  const before = await state();
  for (const { name, work, code } of WAYS_TO_LEAK) {
    const outcome = await tenants.run('org_a', work).then(
      () => undefined,
      (error: { code?: unknown }) => error.code,
    );
    expect({ name, outcome, state: await state() }).toEqual({ name, outcome: code, state: before });
    expect(await whoIs(tenants, 'org_b')).toBe('org_b');
  }
});
