import { expect, test, vi } from 'vitest';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet, resultOf, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

const TWELVE = Array.from({ length: 12 }, (_, nth) => `org_${String(nth).padStart(2, '0')}`);
const LINKS = '20250101000003_links.sql';

/** Fails for every tenant that has such a row. */
const UNLESS_TAGGED = `-- migrate:up
ALTER TABLE tags ADD CONSTRAINT no_tags CHECK (id < 0);
-- migrate:down
ALTER TABLE tags DROP CONSTRAINT no_tags;
`;

async function tag(fleet: TestFleet, ...organizations: string[]): Promise<void> {
  for (const organization of organizations)
    await fleet.query(`INSERT INTO ${schemaNameFor(organization)}.tags VALUES (1)`);
}

/** Those that have the table links. */
async function linked(fleet: TestFleet, organizations: readonly string[]): Promise<string[]> {
  const rows = await fleet.query<{ schema: string }>(
    `SELECT schemaname AS schema FROM pg_tables WHERE tablename = 'links'`,
  );
  const schemas = new Set(rows.map(({ schema }) => schema));
  return organizations.filter((each) => schemas.has(schemaNameFor(each)));
}

/** Takes down which waves a run began, and which tenants ended, in order. */
function logbook(): { readonly observe: (event: RunEvent) => void; readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    observe(event) {
      if (event.type === 'wave') lines.push(`${event.kind} ${event.number} of ${event.of}: ${event.tenants}`);
      if (event.type === 'tenant') lines.push(event.result.clerkOrgId);
    },
  };
}

test('the canaries are done before the first wave, and each wave before the next', async () => {
  const fleet = await createFleet(TWELVE);
  await fleet.add(LINKS, createTable('links'));
  const { observe, lines } = logbook();

  const result = await fleet.migrate({
    observe,
    rollout: { canary: { count: 2 }, wave: { percent: 40 }, maxFailures: { count: 0 } },
  });

  expect(result.totals).toMatchObject({ selected: 12, changed: 12, failed: 0, skipped: 0 });
  expect(result.rollout).toMatchObject({
    planned: 3,
    waves: [
      { kind: 'canary', tenants: 2, migrated: 2 },
      { kind: 'wave', number: 1, of: 2, tenants: 5, migrated: 5 },
      { kind: 'wave', number: 2, of: 2, tenants: 5, migrated: 5 },
    ],
  });
  expect(result.rollout?.stopped).toBeUndefined();
  expect(lines.filter((line) => line.includes(' of '))).toEqual([
    'canary 1 of 1: 2',
    'wave 1 of 2: 5',
    'wave 2 of 2: 5',
  ]);
  expect([lines[0], lines[3], lines[9]]).toEqual(['canary 1 of 1: 2', 'wave 1 of 2: 5', 'wave 2 of 2: 5']);
  expect(await linked(fleet, TWELVE)).toEqual(TWELVE);
});

test('a canary that fails stops all others, whatever the limit for all tenants, until canaries may fail', async () => {
  const fleet = await createFleet(TWELVE);
  await fleet.add('20250101000003_no_tags.sql', UNLESS_TAGGED);
  await tag(fleet, 'org_07');

  const canary = { tenants: ['org_07', 'org_01'] };
  const result = await fleet.migrate({ rollout: { canary, maxFailures: { count: 5 } } });

  expect(result.totals).toMatchObject({ selected: 12, changed: 1, failed: 1, skipped: 10 });
  expect(resultOf(result, 'org_07')).toMatchObject({ outcome: 'failed', error: { sqlstate: '23514' } });
  expect(resultOf(result, 'org_01').outcome).toBe('migrated');
  expect(resultOf(result, 'org_05')).toMatchObject({
    outcome: 'skipped',
    reason: 'the rollout was stopped',
  });
  expect(result.rollout?.stopped).toMatchObject({
    among: 'canaries',
    failed: 1,
    allowed: 0,
    of: 2,
    stage: { kind: 'canary' },
  });
  expect(result.interrupted).toBe(false);
  for (const untouched of TWELVE.filter((each) => each !== 'org_01'))
    expect(await fleet.history(untouched)).toHaveLength(2);

  const allowed = await fleet.migrate({ rollout: { canary, maxCanaryFailures: { count: 1 } } });
  expect(allowed.totals).toMatchObject({ changed: 10, upToDate: 1, failed: 1, skipped: 0 });
  expect(allowed.rollout?.stopped).toBeUndefined();
});

test('with --on-canary-failure rollback, what this run applied is undone, and nothing else', async () => {
  const fleet = await createFleet(TWELVE.slice(0, 5));
  await fleet.add('20250101000003_links.sql', createTable('links'));
  await fleet.migrate({ tenants: ['org_00', 'org_01'] });
  await fleet.add('20250101000004_more.sql', createTable('more'));
  await fleet.add('20250101000005_no_tags.sql', UNLESS_TAGGED);
  await tag(fleet, 'org_02');

  const result = await fleet.migrate({
    concurrency: 1,
    rollout: {
      canary: { tenants: ['org_00', 'org_02', 'org_03'] },
      maxFailures: { count: 0 },
      onCanaryFailure: 'rollback',
    },
  });

  // The first two are of one plan each, so whether org_03 came before org_02 failed is not said; org_00 did.
  expect(resultOf(result, 'org_02')).toMatchObject({ outcome: 'failed', names: [] });
  expect(resultOf(result, 'org_00')).toMatchObject({
    outcome: 'rolled-back',
    names: [],
    reverted: ['20250101000005_no_tags.sql', '20250101000004_more.sql'],
  });
  expect(result.rollout?.rolledBack?.failed).toBe(0);
  expect(result.totals.undone).toBe(result.rollout?.rolledBack?.tenants);
  expect(result.totals.changed).toBe(0);
  expect(await fleet.tables('org_00')).toEqual(['links', 'notes', 'tags']);
  expect(await fleet.tables('org_01')).toEqual(['links', 'notes', 'tags']);
  for (const organization of ['org_02', 'org_03', 'org_04'])
    expect(await fleet.tables(organization)).toEqual(['notes', 'tags']);

  const run = await readRun(fleet.database, result.run ?? 0);
  expect(run.options).toMatchObject({ rollout: { maxFailures: { count: 0 }, onCanaryFailure: 'rollback' } });
  const told = await readRunTenants(fleet.database, run.id, { onlyFailed: false });
  expect(told.find(({ clerkOrgId }) => clerkOrgId === 'org_00')).toMatchObject({
    outcome: 'rolled-back',
    direction: 'down',
    names: ['20250101000005_no_tags.sql', '20250101000004_more.sql'],
  });
});

test('a canary that cannot be rolled back keeps what was applied, and says why', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.add(LINKS, '-- migrate:up\nCREATE TABLE links ();\nALTER TABLE tags ADD CHECK (id < 0);\n');
  await tag(fleet, 'org_b');

  const result = await fleet.migrate({
    concurrency: 1,
    rollout: { canary: { tenants: ['org_a', 'org_b'] }, onCanaryFailure: 'rollback' },
  });

  expect(resultOf(result, 'org_a')).toMatchObject({
    outcome: 'failed',
    names: [LINKS],
    error: { code: 'MIGRATION_IRREVERSIBLE' },
  });
  expect(result.rollout?.rolledBack).toEqual({ tenants: 0, failed: 1 });
  expect(await fleet.tables('org_a')).toContain('links');
});

test('the failureLimit acts in the middle of a wave that is sent as strings', async () => {
  const many = Array.from({ length: 120 }, (_, nth) => `org_${String(nth).padStart(3, '0')}`);
  const fleet = await createFleet(many);
  await fleet.add(
    '20250101000003_no_tags.sql',
    UNLESS_TAGGED.replace('ALTER', 'CREATE TABLE links ();\nALTER'),
  );
  await tag(fleet, ...many.slice(10));

  const result = await fleet.migrate({ concurrency: 2, rollout: { maxFailures: { count: 3 } } });

  expect(result.rollout?.stopped).toMatchObject({ among: 'tenants', allowed: 3, of: 120 });
  expect(result.totals.failed).toBeGreaterThan(3);
  // What was on its way when the fourth failed is done, and no more.
  expect(result.totals.failed).toBeLessThan(40);
  expect(result.totals.skipped).toBeGreaterThan(60);
  expect(await linked(fleet, many)).toHaveLength(result.totals.changed);
});

test('one fewer failures than stop it, and the run goes on to its end', async () => {
  const fleet = await createFleet(TWELVE);
  await fleet.add('20250101000003_no_tags.sql', UNLESS_TAGGED);
  await tag(fleet, 'org_03', 'org_04', 'org_09');

  const result = await fleet.migrate({ rollout: { wave: { count: 5 }, maxFailures: { percent: 25 } } });

  expect(result.totals).toMatchObject({ changed: 9, failed: 3, skipped: 0 });
  expect(result.rollout?.stopped).toBeUndefined();
});

test('what two tenants have shown is not asked of two in every wave', async () => {
  const fleet = await createFleet(TWELVE);
  await fleet.project.write('package.json', '{"type":"module"}');
  const told = vi.spyOn(console, 'log').mockReturnValue();
  await fleet.add(
    '20250101000003_count.js',
    `export async function up(knex) { console.log('it runs'); await knex.schema.alterTable('notes', (t) => { t.text('body'); }); }
     export async function down() {}`,
  );
  const result = await fleet.migrate({ rollout: { canary: { count: 1 }, wave: { count: 4 } } });

  expect(result.totals.changed).toBe(12);
  expect(told.mock.calls).toEqual([['it runs'], ['it runs']]);
});

test('canaries that are named must be tenants of the run, ACTIVE and known', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(LINKS, createTable('links'));
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_b'`);
  const attempt = (canary: string, tenants?: string[]) =>
    refusalOf(fleet.migrate({ tenants, rollout: { canary: { tenants: [canary] } } }));

  expect(await attempt('org_x')).toMatchObject({ code: 'TENANT_UNKNOWN' });
  expect(await attempt('org_b')).toMatchObject({ code: 'TENANT_NOT_ACTIVE', tenant: 'org_b' });
  expect(await attempt('org_b', ['org_a'])).toMatchObject({ code: 'USAGE', tenant: 'org_b' });
  expect(await fleet.history('org_a')).toHaveLength(2);
});

test('a named canary to which nothing can be done is a failed one', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.add(LINKS, createTable('links'));
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_a')} CASCADE`);

  const result = await fleet.migrate({ rollout: { canary: { tenants: ['org_a'] } } });

  expect(resultOf(result, 'org_a')).toMatchObject({ outcome: 'failed', error: { code: 'SCHEMA_MISSING' } });
  expect(resultOf(result, 'org_b').outcome).toBe('skipped');
});
