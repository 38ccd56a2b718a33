import { expect, test } from 'vitest';
import { resolveInterrupted } from '../../../src/core/commands/resolve.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';
import { intentOf } from '../../support/remember.ts';

const SCHEMA = schemaNameFor('org_a');
const OUTSIDE = 'export const config = { transaction: false };';
const INDEX = {
  schema: SCHEMA,
  name: 'notes_kind',
  table: 'notes',
  remedy: `DROP INDEX CONCURRENTLY "${SCHEMA}"."notes_kind";`,
};

/** Two rows that no unique index on `kind` can have. */
async function fleetWithTwins() {
  const fleet = await createFleet(['org_a']);
  await fleet.query(
    `ALTER TABLE ${SCHEMA}.notes ADD kind int; INSERT INTO ${SCHEMA}.notes VALUES (1, 7), (2, 7)`,
  );
  return fleet;
}

test('an index that a unique violation left INVALID is named where the migration failed, by status, and where IF NOT EXISTS accepts it', async () => {
  const fleet = await fleetWithTwins();
  await fleet.add(
    '3_index.sql',
    '-- migrate:up transaction:false\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS notes_kind ON notes (kind);',
  );
  const first = resultOf(await fleet.migrate(), 'org_a');
  expect(first.error).toMatchObject({ sqlstate: '23505', invalidIndexes: [INDEX] });
  expect(first.error?.hint).toContain(INDEX.remedy);
  const [state] = (await fleet.status()).states;
  expect(state).toMatchObject({ invalidIndexes: [INDEX], attention: { code: 'FAILED' } });
  expect(state?.attention?.problem).toContain('INVALID is notes_kind of table notes');

  await fleet.query(`DELETE FROM ${SCHEMA}.notes WHERE id = 2`);
  const second = resultOf(await fleet.migrate(), 'org_a');
  expect(second.error).toMatchObject({
    code: 'MIGRATION_FAILED',
    migration: '3_index.sql',
    invalidIndexes: [INDEX],
  });
  expect(second.error?.message).toContain('left INVALID: notes_kind');
  expect(await fleet.history('org_a')).toHaveLength(2);

  await fleet.query(INDEX.remedy);
  expect(resultOf(await fleet.migrate(), 'org_a').outcome).toBe('migrated');
});

test('an INVALID index that a migration has nothing to do with does not stop it', async () => {
  const fleet = await fleetWithTwins();
  await fleet
    .query(`CREATE UNIQUE INDEX CONCURRENTLY of_somebody_else ON ${SCHEMA}.notes (kind)`)
    .catch(() => {});
  await fleet.add(
    '3_index.js',
    knexMigration(`await knex.raw('CREATE INDEX CONCURRENTLY notes_id ON notes (id)');`, '', OUTSIDE),
  );
  expect(resultOf(await fleet.migrate(), 'org_a').outcome).toBe('migrated');
});

test('what a killed run has left INVALID is in the report of the next one, and resolve says how to drop it', async () => {
  const fleet = await fleetWithTwins();
  await fleet.query(`CREATE UNIQUE INDEX CONCURRENTLY notes_kind ON ${SCHEMA}.notes (kind)`).catch(() => {});
  await fleet.add(
    '3_index.sql',
    '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_kind ON notes (kind);',
  );
  await fleet.query(intentOf(SCHEMA, '3_index.sql'));
  const { error } = resultOf(await fleet.migrate(), 'org_a');
  expect(error).toMatchObject({ code: 'MIGRATION_INTERRUPTED', invalidIndexes: [INDEX] });
  expect(error?.message).toContain('INVALID: notes_kind of table notes');
  expect((await fleet.status()).states[0]?.attention?.problem).toContain('INVALID is notes_kind');

  const resolution = await resolveInterrupted(fleet.database, { tenant: 'org_a', answer: 'retry' });
  expect(resolution.invalidIndexes).toEqual([INDEX]);
  await fleet.query(resolution.invalidIndexes[0]?.remedy ?? '');
  expect(resultOf(await fleet.migrate(), 'org_a').outcome).toBe('migrated');
});

test('a concurrent index waits for readers for longer than lock_timeout, any other statement does not', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.add(
    '3_mixed.js',
    knexMigration(
      `await knex.raw('CREATE INDEX CONCURRENTLY notes_id ON notes (id)');
       await knex.raw("CREATE TABLE seen AS SELECT current_setting('lock_timeout') AS lock, current_setting('client_connection_check_interval', true) AS client, current_setting('tcp_keepalives_idle') AS keepalive");
       await knex.raw('ALTER TABLE tags ADD x int');`,
      '',
      OUTSIDE,
    ),
  );
  const others = await fleet.testDatabase.open(4);
  const [writer, locker] = [await others.connect('work'), await others.connect('work')];
  await writer.query(`BEGIN; INSERT INTO ${SCHEMA}.notes VALUES (1)`);
  // Without a snapshot, so that no index waits for it.
  await locker.query(`BEGIN; LOCK TABLE ${SCHEMA}.tags`);
  const run = fleet.migrate({ lockTimeoutMs: 300 });
  const early = await Promise.race([run, new Promise((resolve) => setTimeout(resolve, 1_500, 'waits'))]);
  expect(early).toBe('waits');
  await writer.query('COMMIT');
  const { error } = resultOf(await run, 'org_a');
  await locker.query('ROLLBACK');
  for (const client of [writer, locker]) others.giveBack(client, false, 0);
  expect(error).toMatchObject({ sqlstate: '55P03', statement: 'ALTER TABLE tags ADD x int' });
  expect(await fleet.query(`SELECT * FROM ${SCHEMA}.seen`)).toEqual([
    {
      lock: '300ms',
      client: 'client_connection_check_interval' in fleet.database.deadClientSettings ? '2s' : null,
      keepalive: '10',
    },
  ]);
});
