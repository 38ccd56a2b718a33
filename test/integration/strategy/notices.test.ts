import { expect, test } from 'vitest';
import { readRun } from '../../../src/core/ledger/read-runs.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet } from '../../support/fleet.ts';
import { knexMigration } from '../../support/project.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e'];

/** An .sql migration that raises these messages. */
function raising(...messages: readonly string[]): string {
  return `-- migrate:up\nDO $$ BEGIN ${messages.map((each) => `RAISE ${each};`).join(' ')} END $$;\n`;
}

test('what the server says in a migration is told once, and kept in the ledger, however the migration was sent', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  await fleet.add('3_a.sql', raising(`WARNING 'odd rows'`, `WARNING 'odd rows'`, `NOTICE 'looked'`));
  await fleet.add('4_b.sql', raising(`WARNING 'more odd rows'`));
  const said = (migration: string, severity: string, message: string) => ({
    migration,
    severity,
    message,
    tenants: 5,
  });
  const expected = [
    said('3_a.sql', 'WARNING', 'odd rows'),
    said('4_b.sql', 'WARNING', 'more odd rows'),
    said('3_a.sql', 'NOTICE', 'looked'),
  ];

  for (const compile of [true, false]) {
    const events: RunEvent[] = [];
    const { notices, run = 0 } = await fleet.migrate({ compile, observe: (event) => events.push(event) });
    expect(notices).toEqual(expected);
    expect(await readRun(fleet.database, run)).toMatchObject({ notices: expected, options: {} });
    const told = (type: string) =>
      events.flatMap((event) => (event.type === type && 'message' in event ? [event.message] : []));
    expect(told('warning')).toEqual([
      '3_a.sql: WARNING: odd rows (5 tenants)',
      '4_b.sql: WARNING: more odd rows (5 tenants)',
    ]);
    expect(told('note')).toContain('3_a.sql: NOTICE: looked (5 tenants)');
    await fleet.project.write(
      'migrations/tenants/3_a.sql',
      `${raising(`WARNING 'odd rows'`, `NOTICE 'looked'`)}-- migrate:down\nSELECT 1;\n`,
    );
    await fleet.project.write(
      'migrations/tenants/4_b.sql',
      `${raising(`WARNING 'more odd rows'`)}-- migrate:down\nSELECT 1;\n`,
    );
    expect((await fleet.rollback()).notices).toBeUndefined();
  }
});

test('a migration that asks the catalog without naming a schema is warned of; what Knex asks itself is not', async () => {
  const fleet = await createFleet(ORGANIZATIONS);
  await fleet.add(
    '3_knex.js',
    knexMigration(`await knex.schema.hasTable('a'); await knex.schema.hasColumn('notes', 'b'); await knex('notes').columnInfo();
      await knex('pg_indexes').where({ indexname: 'i' });`),
  );
  await fleet.add(
    '4_do.sql',
    "-- migrate:up\nDO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_type WHERE typname = 't') THEN CREATE TYPE t AS ENUM (); END IF; END $$;\n",
  );
  const warnings: string[] = [];
  await fleet.migrate({ observe: (event) => event.type === 'warning' && warnings.push(event.message) });
  expect(warnings.map((message) => message.replace(/ without .*/, ''))).toEqual([
    '3_knex.js asks pg_indexes',
    '4_do.sql asks pg_type',
  ]);
});

test.each([
  ['allowOutside', ' allow-outside:public.a', 'it has an allowOutside'],
  ['transaction: false', ' transaction:false', 'it runs outside a transaction'],
])('a note says why a plan is run for every tenant separately: %s', async (_, marker, reason) => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add('3_x.sql', `-- migrate:up${marker}\nCREATE TABLE a ();\n`);
  const notes: string[] = [];
  await fleet.migrate({
    observe: (event) => event.type === 'note' && notes.push(event.message),
  });
  expect(notes).toContain(`3_x.sql is run for every tenant separately: ${reason}.`);
});
