import { afterAll, beforeAll, expect, test } from 'vitest';
import { Pool } from 'pg';
import { openTenants } from '../../../src/app/tenants.ts';
import { addWho, whoIs } from '../../support/application.ts';
import { standingFleet, type StandingFleet } from '../../support/standing-fleet.ts';
import { USUAL_FILES } from '../../support/project.ts';
import { LEAKY_FUNCTIONS, SESSION_STATE, WAYS_TO_LEAK } from '../../support/ways-to-leak.ts';

let standing: StandingFleet;
let pool: Pool;
/** What the application gives to each of its sessions. */
const ON_CONNECT = `SET search_path = "$user", extensions, public; SET statement_timeout = '50s'; SET app.kept = 'kept';
  SET TIME ZONE 'Europe/Berlin'; SET work_mem = '8MB'`;

beforeAll(async () => {
  standing = await standingFleet(['org_a', 'org_b'], USUAL_FILES);
  await addWho(standing.fleet, ['org_a', 'org_b']);
  await standing.fleet.query(LEAKY_FUNCTIONS);
  pool = new Pool({ connectionString: standing.fleet.testDatabase.url, max: 1 });
  pool.on('connect', (client) => void client.query(ON_CONNECT));
});
afterAll(async () => {
  await pool.end();
  await standing.fleet.query('DROP ROLE leaky_role_of_tests');
  await standing.close();
});

const state = async () => (await pool.query(SESSION_STATE)).rows;

test.each(WAYS_TO_LEAK)('leaves nothing to the next call: $name', async ({ work, code }) => {
  const tenants = openTenants(pool);
  const before = await state();
  expect(before).toMatchObject([
    { kept: 'kept', temporary: 0, locks: 0, prepared: 0, cursors: 0, channels: [] },
  ]);
  const outcome = await tenants.run('org_a', work).then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  );
  expect(outcome).toBe(code);
  expect(await state()).toEqual(before);
  expect(await whoIs(tenants, 'org_b')).toBe('org_b');
  // The last: after an error, a pool closes the connection.
  await expect(pool.query('SELECT lastval()')).rejects.toMatchObject({ code: '55000' });
});
