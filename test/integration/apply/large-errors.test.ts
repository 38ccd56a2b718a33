import { expect, test } from 'vitest';
import { readRuns, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

/** More than fits one value of a statement, or a document if it is repeated for each tenant. */
const ROWS = 40_000;

/** The most characters of an error with four long texts. */
const MOST = 10_000;

test('more values than a statement takes are refused once, with a hint, and no lost connection', async () => {
  const fleet = await createFleet(['org_a']);
  const rows = `Array.from({ length: ${ROWS} }, (_, i) => ({ id: i, tag: i }))`;
  await fleet.add(
    '3_seed.mjs',
    knexMigration(
      `await knex.schema.createTable('seeds', (t) => { t.integer('id'); t.integer('tag'); });
       await knex('seeds').insert(${rows});`,
    ),
  );

  const { error } = resultOf(await fleet.migrate({ retries: 0 }), 'org_a');

  expect(error).toMatchObject({
    sqlstate: '08P01',
    retryable: false,
    hint: expect.stringContaining('65,535'),
  });
  expect(JSON.stringify(error).length).toBeLessThan(MOST);
});

test('errors of megabytes are cut where they are shown, recorded and read, around the mistake', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const values = Array.from({ length: ROWS }, (_, at) => `(${at}, 'http://cdn:80/${at}.png')`).join(',');
  await fleet.add(
    '3_seed.sql',
    `-- migrate:up\nCREATE TABLE images (id int, url text);\nINSERT INTO images VALUES ${values},(1, nowhere),${values};`,
  );
  const seed = await fleet.migrate();
  await fleet.add(
    '3_seed.sql',
    `-- migrate:up\nDO $$ BEGIN RAISE EXCEPTION '%', repeat('message ', 999999)
       USING DETAIL = repeat('detail ', 999999), HINT = repeat('ü', 999999); END $$;`,
  );
  const raised = await fleet.migrate();

  for (const { tenants } of [seed, raised])
    for (const { error } of tenants) expect(JSON.stringify(error).length).toBeLessThan(MOST);
  expect(resultOf(seed, 'org_a').error?.statement).toMatch(
    /^INSERT INTO images VALUES \(0, .* \[\.\.\.\] .*,\(1, nowhere\),\(0, .* \[\.\.\.\] \(\d+ characters\)$/,
  );
  const recorded = await fleet.query<{ length: number }>(
    `SELECT length(error::text) AS length FROM tenantctl.run_tenants WHERE error IS NOT NULL
     UNION ALL SELECT length(error::text) FROM tenantctl.tenant_failures`,
  );
  expect(recorded).toHaveLength(6);
  expect(Math.max(...recorded.map(({ length }) => length))).toBeLessThan(MOST);
});

test('what an earlier release recorded whole is cut when it is read', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add('3_wrong.sql', '-- migrate:up\nSELECT nowhere;');
  const { run = 0 } = await fleet.migrate();
  const huge = `jsonb_build_object('statement', t, 'message', t, 'details', jsonb_build_array(t, 'short'))`;
  const grown = `SET error = error || (SELECT ${huge} FROM (SELECT repeat(md5(random()::text), 99999) AS t) long)`;
  await fleet.query(`UPDATE tenantctl.tenant_failures ${grown}`);
  await fleet.query(`UPDATE tenantctl.run_tenants ${grown} WHERE error IS NOT NULL`);
  await fleet.query(`UPDATE tenantctl.runs SET error = '{}'::jsonb WHERE id = $1`, [run]);
  await fleet.query(`UPDATE tenantctl.runs ${grown} WHERE id = $1`, [run]);

  const [state] = (await fleet.status()).states;
  const [tenant] = await readRunTenants(fleet.database, run, { onlyFailed: true });
  const [ledger] = await readRuns(fleet.database, { limit: 1 });

  for (const error of [state?.lastError, tenant?.error, ledger?.error]) {
    expect(error?.details).toEqual([expect.stringMatching(/^[\da-f]{2000}$/), 'short']);
    expect(JSON.stringify(error).length).toBeLessThan(MOST);
  }
  expect([state?.lastError?.code, tenant?.error?.migration]).toEqual(['MIGRATION_FAILED', '3_wrong.sql']);
});
