import { expect, test } from 'vitest';
import { silent } from '../../../src/core/report/event.ts';
import { createLanes } from '../../../src/core/run/lanes.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { createDatabase } from '../../support/database.ts';

test('with auto, a run that the server refuses a connection goes on with one and closes the others', async () => {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(18);
  const lanes = await createLanes(database, 'auto', silent);
  let atWork = 0;
  const most = async (tasks: number) => {
    let seen = 0;
    await Promise.all(
      Array.from({ length: tasks }, () =>
        lanes.run(async () => {
          seen = Math.max(seen, (atWork += 1));
          await database.query('SELECT pg_sleep(0.02)');
          atWork -= 1;
        }),
      ),
    );
    return seen;
  };

  expect(lanes.width).toBe(16);
  expect(await most(8)).toBe(2);
  lanes.begin()(new TenantctlError('CONNECTION_FAILED', 'too many clients', { sqlstate: '53300' }));
  expect(await most(8)).toBe(1);
  await expect.poll(() => database.opened(), { timeout: 5_000 }).toBeLessThanOrEqual(1);
});
