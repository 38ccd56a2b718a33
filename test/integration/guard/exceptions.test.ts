import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { raw } from '../../support/guard-deeds.ts';
import { NEIGHBOURS, TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';
import { knexMigration } from '../../support/project.ts';

const { fleet, migrate, migration } = useGuardedFleet();

const allowing = (...names: string[]) => ({
  config: `export const config = { allowOutside: ${JSON.stringify(names)} };`,
});

const GRANT = 'GRANT SELECT ON countries TO PUBLIC';
const REVOKE = 'REVOKE SELECT ON public.countries FROM PUBLIC';

test.each([
  ['by its name', ['public.countries']],
  ['among others', ['public.plans', 'public.countries']],
  ['with all of its schema', ['public.*']],
])('a migration may reach what it says that it reaches, %s', async (_, names) => {
  const result = await migrate(
    raw(GRANT, REVOKE.replace('REVOKE', 'GRANT').replace('FROM', 'TO'), REVOKE),
    allowing(...names),
  );
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
});

test('a function is allowed by its name without its arguments', async () => {
  const replace = `CREATE OR REPLACE FUNCTION public.one() RETURNS int LANGUAGE sql AS 'SELECT 1'`;
  const result = await migrate(raw(replace), allowing('public.one'));
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
});

test('what it does not say is refused all the same', async () => {
  const result = await migrate(raw(GRANT), allowing('public.plans', 'public.countries_other', 'audit.*'));
  for (const { error } of result.tenants)
    expect(error?.message).toContain(`${migration()} changed the table public.countries: outside `);
});

test('another tenant’s schema cannot be allowed', async () => {
  const result = await migrate(
    raw(`DO $$ BEGIN EXECUTE 'GRANT SELECT ON ${NEIGHBOURS}.secrets TO PUBLIC'; END $$`),
    allowing(`${NEIGHBOURS}.secrets`, `${NEIGHBOURS}.*`),
  );
  for (const { error } of result.tenants) {
    expect(error?.message).toContain(`${migration()} changed the table ${NEIGHBOURS}.secrets: outside `);
    expect(error?.hint).toContain('no tenant migration may reach');
  }
});

test('a migration that reaches outside runs for one tenant at a time', async () => {
  // Each notes how many tenants are at work beside it: their transactions hold an advisory lock each.
  const result = await migrate(
    raw(
      GRANT,
      'SELECT pg_sleep(0.1)',
      `INSERT INTO audit.entries (what) SELECT 'at once: ' || count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      REVOKE,
    ),
    allowing('public.countries'),
    { concurrency: 4 },
  );
  expect(result.totals).toMatchObject({ changed: TENANTS.length, failed: 0 });
  const seen = await fleet().query<{ what: string }>(`DELETE FROM audit.entries RETURNING what`);
  const alone = seen[0]?.what ?? '';
  expect(alone).toMatch(/^at once: \d+$/);
  expect(seen.map(({ what }) => what)).toEqual(TENANTS.map(() => alone));
  // The lease of the run holds one as well.
  expect(Number(alone.replace(/\D/g, ''))).toBeLessThanOrEqual(2);
});

test.each([
  ['in its transaction', '3_reaching.js', ''],
  ['outside a transaction', '3_reaching_outside.js', ', transaction: false'],
])('runs of other tenants wait with what reaches outside, %s', async (_, name, more) => {
  const body = raw(
    `INSERT INTO audit.entries (what) VALUES ('from ' || extract(epoch FROM clock_timestamp()))`,
    'SELECT pg_sleep(0.2)',
    `INSERT INTO audit.entries (what) VALUES ('to ' || extract(epoch FROM clock_timestamp()))`,
  );
  const config = `export const config = { allowOutside: ['public.countries']${more} };`;
  await fleet().add(name, knexMigration(body, '', config));
  try {
    const halves = [TENANTS.slice(0, 2), TENANTS.slice(2)];
    const results = await Promise.all(halves.map((tenants) => fleet().migrate({ tenants })));
    for (const result of results) expect(result.totals).toMatchObject({ changed: 2, failed: 0 });
    const said = await fleet().query<{ what: string }>(`DELETE FROM audit.entries RETURNING what`);
    const times = said
      .map(({ what }) => ({ word: what.split(' ')[0], at: Number(what.split(' ')[1]) }))
      .toSorted((a, b) => a.at - b.at);
    expect(times.map(({ word }) => word)).toEqual(TENANTS.flatMap(() => ['from', 'to']));
  } finally {
    await fleet().project.remove(`migrations/tenants/${name}`);
    for (const tenant of TENANTS)
      await fleet().query(`DELETE FROM ${schemaNameFor(tenant)}.knex_migrations_tenant WHERE name LIKE '3%'`);
  }
});

test('an .sql migration says it behind its marker', async () => {
  await fleet().add(
    '3_grant.sql',
    `-- migrate:up allow-outside:public.countries,public.plans\n${GRANT};\n${REVOKE};\n`,
  );
  try {
    const result = await fleet().migrate({ tenants: [TENANTS[0] ?? ''] });
    expect(result.totals).toMatchObject({ changed: 1, failed: 0 });
    await fleet().query(
      `DELETE FROM ${result.tenants[0]?.schema}.knex_migrations_tenant WHERE name LIKE '3%'`,
    );
  } finally {
    await fleet().project.remove('migrations/tenants/3_grant.sql');
  }
});

test('a config that names nothing readable is refused before anything runs', async () => {
  await fleet().add(
    '3_odd.js',
    knexMigration('', '', `export const config = { allowOutside: 'public.countries' };`),
  );
  try {
    await expect(fleet().migrate({ tenants: TENANTS })).rejects.toMatchObject({
      code: 'MIGRATION_INVALID',
      message: '3_odd.js exports a config whose allowOutside is no list of names.',
    });
  } finally {
    await fleet().project.remove('migrations/tenants/3_odd.js');
  }
});
