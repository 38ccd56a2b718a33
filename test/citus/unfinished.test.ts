import { Client } from 'pg';
import { expect, inject, onTestFinished, test } from 'vitest';
import { diagnose } from '../../src/core/doctor/diagnose.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createCitusFleet } from '../support/citus-fleet.ts';
import { tenantctl } from '../support/cli.ts';
import { resultOf } from '../support/fleet.ts';

/** As a node keeps it that has died between PREPARE TRANSACTION and COMMIT PREPARED. */
const GID = 'citus_0_1_1_1';

async function connectTo(url: URL): Promise<Client> {
  const client = new Client(url.href);
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

test('status and doctor name the node that has not finished what is committed, and only that', async () => {
  const fleet = await createCitusFleet(['org_a']);
  const { url, settings, env } = fleet.testDatabase;
  const [place] = await fleet.query<{ host: string; port: number; node: number }>(
    `SELECT nodename AS host, nodeport AS port, groupid AS node FROM pg_dist_node WHERE groupid <> 0 LIMIT 1`,
  );
  const { host = '', port = 0, node = 0 } = place ?? {};
  const name = `${host}:${port}`;
  const worker = await connectTo(Object.assign(new URL(url), { host: inject('citusPlaces')[name] ?? name }));
  await worker.query(`BEGIN; SELECT pg_advisory_xact_lock(1); PREPARE TRANSACTION '${GID}'`);
  const admin = await connectTo(
    Object.assign(new URL(inject('citusUrl')), { pathname: new URL(url).pathname }),
  );
  await worker.query('SELECT pg_sleep(1.1)');
  // It may have been rolled back: the coordinator has no note of it.
  expect((await fleet.status()).unfinishedOnNodes).toBeUndefined();

  await admin.query(`INSERT INTO pg_dist_transaction (groupid, gid) VALUES ($1, $2)`, [node, GID]);
  const unfinished = { node: name, transactions: 1 };
  expect((await fleet.status()).unfinishedOnNodes).toMatchObject([unfinished]);
  const { stdout } = await tenantctl(['status'], { cwd: fleet.project.folder, env });
  expect(stdout).toContain(`Nodes    ! ${name} has yet to finish a transaction that is committed`);
  const { checks } = await diagnose({ nodeVersion: process.versions.node, database: settings });
  expect(checks.find(({ id }) => id === 'citus-nodes')).toMatchObject({
    status: 'warning',
    remedy: expect.stringContaining('recover_prepared_transactions()') as string,
  });

  await admin.query('SELECT recover_prepared_transactions()');
  expect((await fleet.status()).unfinishedOnNodes).toBeUndefined();
});

test('what a node has yet to finish is not applied again, neither to one tenant nor to many', async () => {
  const fleet = await createCitusFleet(['org_a', 'org_b', 'org_c']);
  const schema = schemaNameFor('org_c');
  const shards = await fleet.query<{ host: string; port: number; shard: string }>(
    `SELECT nodename AS host, nodeport AS port, shard_name('${schema}.knex_migrations_tenant_lock', h.shardid) AS shard
     FROM pg_dist_shard h JOIN pg_dist_placement USING (shardid) JOIN pg_dist_node USING (groupid)
     WHERE h.logicalrelid = '${schema}.knex_migrations_tenant_lock'::regclass`,
  );
  const { host = '', port = 0, shard = '' } = shards[0] ?? {};
  const url = Object.assign(new URL(fleet.testDatabase.url), { hostname: host, port: String(port) });
  const worker = await connectTo(url);
  // Every transaction of tenantctl in a tenant holds this row, and a prepared one goes on to hold it.
  await worker.query(`BEGIN; SELECT FROM ${shard} FOR UPDATE; PREPARE TRANSACTION 'as_by_citus'`);
  const finish = () => worker.query(`ROLLBACK PREPARED 'as_by_citus'`);
  onTestFinished(async () => void (await finish().catch(() => {})));
  await fleet.add('20250101000003_row.sql', '-- migrate:up\nINSERT INTO notes (n) VALUES (7);');

  const quick = { lockTimeoutMs: 200, retries: 0 };
  const all = await fleet.migrate(quick);
  expect(resultOf(all, 'org_c')).toMatchObject({ outcome: 'failed', error: { sqlstate: '55P03' } });
  expect(all.totals.changed).toBe(2);
  const one = await fleet.migrate({ ...quick, tenants: ['org_c'] });
  expect(resultOf(one, 'org_c')).toMatchObject({ outcome: 'failed', error: { sqlstate: '55P03' } });

  await finish();
  await fleet.migrate();
  expect(await fleet.query(`SELECT n FROM ${schema}.notes`)).toEqual([{ n: 7 }]);
});
