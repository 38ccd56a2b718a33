import { expect, test } from 'vitest';
import { diagnose } from '../../src/core/doctor/diagnose.ts';
import type { DatabaseSettings } from '../../src/db/database.ts';
import { createCitusDatabase } from '../support/citus.ts';

async function linesOf(database: DatabaseSettings) {
  const { checks } = await diagnose({ nodeVersion: process.versions.node, database });
  return checks.filter(({ id }) => id.startsWith('citus'));
}

test('doctor names Citus and its nodes, and says where new tenants go', async () => {
  const { settings, query } = await createCitusDatabase();

  expect(await linesOf(settings)).toEqual([
    expect.objectContaining({
      id: 'citus',
      status: 'ok',
      detail: expect.stringMatching(/^Citus \d+\.\d.*, \d+ workers?:/) as string,
    }),
    expect.objectContaining({
      id: 'citus-nodes',
      status: 'ok',
      detail: expect.stringContaining(' has 0 schemas') as string,
    }),
  ]);

  const { database } = settings;
  await query(`ALTER DATABASE ${database} SET citus.enable_schema_based_sharding TO off`);

  expect((await linesOf(settings))[0]).toMatchObject({
    status: 'warning',
    remedy: expect.stringContaining(
      `ALTER DATABASE "${database}" SET citus.enable_schema_based_sharding = on`,
    ) as string,
  });
});
