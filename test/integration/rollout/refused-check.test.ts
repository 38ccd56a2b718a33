import { expect, test } from 'vitest';
import { rehearseTenants } from '../../../src/core/commands/rehearse.ts';
import { readRun, readRunTenants } from '../../../src/core/ledger/read-runs.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import type { FleetResult } from '../../../src/core/report/results.ts';
import type { RolloutOptions } from '../../../src/core/rollout/options.ts';
import { createFleet, fleetOn, resultOf, type TestFleet } from '../../support/fleet.ts';
import { closeGate, WAIT_AT_GATE } from '../../support/gate.ts';
import { createTable } from '../../support/project.ts';
import { intentOf } from '../../support/remember.ts';

const SIX = ['org_a', 'org_b', 'org_c', 'org_d', 'org_e', 'org_f'];
const LINKS = '20250101000003_links.sql';
const MORE = '20250101000004_more.sql';
const check = { name: 'no-tags.sql', query: 'SELECT id AS tag FROM tags' };

/** A fleet that is due LINKS, in which the check refuses org_c. */
async function createRefusable(organizations: readonly string[] = SIX): Promise<TestFleet> {
  const fleet = await createFleet(organizations);
  await fleet.add(LINKS, createTable('links'));
  await fleet.query(`INSERT INTO ${schemaNameFor('org_c')}.tags VALUES (1)`);
  return fleet;
}

const heal = (fleet: TestFleet) => fleet.query(`DELETE FROM ${schemaNameFor('org_c')}.tags`);

/** The codes of the recorded failures. */
async function recorded(fleet: TestFleet): Promise<string[]> {
  const rows = await fleet.query<{ code: string }>(
    `SELECT error ->> 'code' AS code FROM tenantctl.tenant_failures`,
  );
  return rows.map(({ code }) => code);
}

async function classOf(fleet: TestFleet, organization: string): Promise<string | undefined> {
  const { states } = await fleet.status({ listAll: true });
  return states.find(({ tenant }) => tenant.clerkOrgId === organization)?.class;
}

/** The tenants that a run did not serve to the end, with what became of them. */
function left({ tenants, rollout }: FleetResult) {
  const outcomes = tenants
    .filter(({ outcome }) => outcome === 'failed' || outcome === 'skipped')
    .map(({ clerkOrgId, outcome, error }) => [clerkOrgId, outcome, error?.message]);
  return { outcomes: new Set(outcomes), at: rollout?.stopped?.stage?.kind, refused: rollout?.refused };
}

const histories = (fleet: TestFleet) => Promise.all(SIX.map((each) => fleet.history(each)));

test.for([
  ['a canary that was named', { canary: { tenants: ['org_c'] }, wave: { percent: 50 } }, 5],
  // org_c has the smallest hash but one.
  ['one of two canaries', { canary: { count: 2 } }, 4],
  ['a tenant of the first wave', { wave: { count: 3 }, maxFailures: { count: 0 } }, 3],
  ['a tenant when any may fail', {}, 0],
] as const)(
  '%s, refused by its check, is asked again and refused by the same command',
  async ([, how, skipped]) => {
    const fleet = await createRefusable();
    const rollout: RolloutOptions = { ...how, check };
    const first = await fleet.migrate({ rollout });
    expect(first.totals).toMatchObject({ failed: 1, skipped });
    const before = await histories(fleet);
    const again = await fleet.migrate({ rollout });
    expect(left(again)).toEqual(left(first));
    expect(again.rollout?.refused).toBe(1);
    expect(await histories(fleet)).toEqual(before);
    expect(again.fleet).toMatchObject({ failed: 1, behind: skipped });
    for (const stage of again.rollout?.waves ?? [])
      expect(stage.upToDate + stage.migrated + stage.failed + stage.skipped).toBe(stage.tenants);

    await heal(fleet);
    const passed = await fleet.migrate({ rollout });
    expect(passed.totals).toMatchObject({ failed: 0, skipped: 0, changed: skipped });
    expect(passed.rollout).toMatchObject({ checked: skipped + 1, refused: 0 });
    expect(await recorded(fleet)).toEqual([]);
    expect(passed.fleet).toMatchObject({ upToDate: 6, total: 6 });
  },
);

test('with --all, tenants that are only checked count for the limit like those that are due', async () => {
  const fleet = await createRefusable(['org_a', 'org_b', 'org_c']);
  await fleet.migrate({ tenants: ['org_a', 'org_b'] });
  const broken = { name: 'broken.sql', query: 'SELECT 1 / 0' };
  const run = (percent: number) =>
    fleet.migrate({ listUpToDate: true, rollout: { check: broken, maxFailures: { percent } } });
  const strict = await run(60);
  expect(strict.totals).toMatchObject({ selected: 3, failed: 2, skipped: 1 });
  expect(strict.rollout?.stopped).toMatchObject({ failed: 2, allowed: 1, of: 3 });
  const lenient = await run(70);
  expect(lenient.rollout?.stopped).toMatchObject({ failed: 3, allowed: 2, of: 3 });
});

test('tenants that are up to date, and that a check with --all refuses, are failures of the run', async () => {
  const fleet = await createRefusable(['org_a', 'org_c']);
  await fleet.migrate();
  const result = await fleet.migrate({ listUpToDate: true, rollout: { check } });
  expect(result.totals).toMatchObject({ upToDate: 1, failed: 1 });
  expect(result.fleet).toMatchObject({ upToDate: 1, failed: 1 });
  expect(await readRunTenants(fleet.database, result.run ?? 0, { onlyFailed: true })).toHaveLength(1);
  expect((await fleet.migrate({ retryFailed: true })).totals).toMatchObject({ selected: 1, failed: 1 });
});

test('a tenant whose check was not run, since the run was stopped, is asked by the next run', async () => {
  const fleet = await createRefusable(['org_a', 'org_b', 'org_c']);
  const gate = await closeGate(fleet.testDatabase);
  const stop = new AbortController();
  const slow = { name: 'slow.sql', query: 'SELECT count(*) = 1 FROM pg_advisory_xact_lock_shared(4711)' };
  const run = fleet.migrate({ concurrency: 1, signal: stop.signal, rollout: { check: slow } });
  await gate.reached();
  stop.abort();
  await gate.open();
  const stopped = await run;
  expect(stopped).toMatchObject({ totals: { changed: 3 }, rollout: { checked: 1, unchecked: 2 } });
  expect(stopped.fleet).toMatchObject({ upToDate: 1, failed: 2 });

  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 1, failed: 2 });
  const canary = { tenants: ['org_b', 'org_c'] };
  const again = await fleet.migrate({ rollout: { canary, check } });
  expect(again).toMatchObject({ totals: { failed: 1 }, rollout: { checked: 2, refused: 1 } });
  await heal(fleet);
  expect((await fleet.migrate({ rollout: { canary, check } })).fleet).toMatchObject({ upToDate: 3 });
});

test.for([
  ['SELECT count(*) = 0 FROM tags', 'returned false.', undefined],
  ['SELECT max(id) < 1 FROM notes', 'returned NULL.', undefined],
  ['SELECT id AS tag FROM tags', 'found this row.', ['{"tag":1}']],
] as const)('a tenant that %s refuses: the check %s', async ([query, answer, details]) => {
  const fleet = await createRefusable(['org_c']);
  const result = await fleet.migrate({ rollout: { check: { name: 'tags.sql', query } } });
  const { error } = resultOf(result, 'org_c');
  expect(error?.message).toBe(`After ${LINKS}, the check tags.sql ${answer}`);
  expect(error?.details).toEqual(details);
});

test('no run without a check passes a refused tenant, and each says that it failed, and why', async () => {
  const fleet = await createRefusable();
  await fleet.migrate({ rollout: { canary: { tenants: ['org_c'] }, check } });
  const refused = { outcome: 'failed', error: { code: 'CHECK_REFUSED', details: ['{"tag":1}'] } };
  const hint = expect.stringContaining('--check with no-tags.sql') as string;

  const warnings: string[] = [];
  const observe = (event: RunEvent) => event.type === 'warning' && warnings.push(event.message);
  const plain = await fleet.migrate({ observe });
  expect(warnings).toEqual([
    '1 tenant has not passed an earlier check, and this run has none: org_c. To check again: --check <file.sql>.',
  ]);
  expect(plain.totals).toEqual({ selected: 6, upToDate: 0, changed: 5, failed: 1, skipped: 0 });
  expect(resultOf(plain, 'org_c')).toMatchObject({
    ...refused,
    names: [],
    error: { ...refused.error, hint },
  });
  expect(plain.fleet).toMatchObject({ total: 6, upToDate: 5, failed: 1 });
  expect((await readRun(fleet.database, plain.run ?? 0)).totals).toMatchObject({ changed: 5, failed: 1 });
  expect(await readRunTenants(fleet.database, plain.run ?? 0, { onlyFailed: true })).toMatchObject([
    { clerkOrgId: 'org_c', outcome: 'failed', error: { code: 'CHECK_REFUSED' } },
  ]);
  for (const again of [await fleet.migrate(), await fleet.migrate({ retryFailed: true })])
    expect(resultOf(again, 'org_c')).toMatchObject(refused);
  // With canaries, the refused one stops the run, as it did the first time.
  const careful = await fleet.migrate({ rollout: { canary: { tenants: ['org_c'] } } });
  expect(careful.rollout?.stopped).toMatchObject({ among: 'canaries', stage: { kind: 'canary' } });
  const options = { folder: fleet.project.tenants };
  expect((await rehearseTenants(fleet.database, options)).problems).toMatchObject([
    { tenant: { clerkOrgId: 'org_c' }, error: { code: 'CHECK_REFUSED' } },
  ]);
  expect((await rehearseTenants(fleet.database, { ...options, rollout: { check } })).problems).toEqual([]);

  // What is pending is applied there, and what is undone again says nothing of what was refused.
  await fleet.add(MORE, createTable('more'));
  expect(resultOf(await fleet.migrate(), 'org_c')).toMatchObject({ ...refused, names: [MORE] });
  await fleet.migrate({ rollout: { check } });
  await fleet.rollback({ tenants: ['org_c'] });
  expect(await classOf(fleet, 'org_c')).toBe('failed');
  // Nor does another failure hide it.
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_c')}.more ()`);
  expect(resultOf(await fleet.migrate(), 'org_c').error?.code).toBe('MIGRATION_FAILED');
  await fleet.query(`DROP TABLE ${schemaNameFor('org_c')}.more`);
  expect(resultOf(await fleet.migrate(), 'org_c')).toMatchObject({ ...refused, names: [MORE] });
  await fleet.provision('org_c');
  await fleet.migrate({ verify: true, listUpToDate: true });
  expect(await recorded(fleet)).toEqual(['CHECK_REFUSED']);
  expect(await classOf(fleet, 'org_c')).toBe('failed');

  // Nor is an interrupted tenant up to date because a check passes.
  await heal(fleet);
  await fleet.query(intentOf(schemaNameFor('org_c'), MORE));
  expect(resultOf(await fleet.migrate({ rollout: { check } }), 'org_c').error?.code).toBe(
    'MIGRATION_INTERRUPTED',
  );
  await fleet.query('DELETE FROM tenantctl.intents');
  const passed = await fleet.migrate({ retryFailed: true, rollout: { check } });
  expect(passed).toMatchObject({ totals: { upToDate: 1, failed: 0 }, rollout: { checked: 1, refused: 0 } });
  expect((await fleet.migrate()).totals).toMatchObject({ upToDate: 6, failed: 0 });
});

test('a tenant is not refused any more once what was applied is undone, whatever undoes it', async () => {
  const fleet = await createRefusable(['org_b', 'org_c']);
  const canary = { tenants: ['org_c'] };
  const refuse = () => fleet.migrate({ rollout: { canary, check } });
  const undo: ((run: number) => Promise<unknown>)[] = [
    () => fleet.rollback({ tenants: ['org_c'] }),
    (run) => fleet.rollback({ extent: { run } }),
    () => fleet.rollback({ extent: { to: LINKS } }),
  ];
  for (const each of undo) {
    const { run = 0 } = await refuse();
    expect(await recorded(fleet)).toEqual(['CHECK_REFUSED']);
    await each(run);
    expect(await recorded(fleet)).toEqual([]);
    expect(await classOf(fleet, 'org_c')).toBe('behind');
  }
  const taken = await fleet.migrate({ rollout: { canary, check, onCanaryFailure: 'rollback' } });
  expect(resultOf(taken, 'org_c')).toMatchObject({ outcome: 'failed', names: [], reverted: [LINKS] });
  expect(taken.fleet).toMatchObject({ behind: 2, failed: 0 });

  // A run without a check that shares the work neither passes it nor clears what the other has recorded.
  const other = fleetOn(fleet.testDatabase, await fleet.testDatabase.open(), fleet.project);
  const [checked] = await Promise.all([fleet.migrate({ rollout: { check } }), other.migrate()]);
  expect(resultOf(checked, 'org_c').error?.code).toBe('CHECK_REFUSED');
  expect(await recorded(fleet)).toEqual(['CHECK_REFUSED']);

  // Nor does it record the refusal again if a check has passed in the meantime.
  await fleet.add('20250101000004_slow.sql', `-- migrate:up\n${WAIT_AT_GATE}\n-- migrate:down\n`);
  const gate = await closeGate(fleet.testDatabase);
  const slow = other.migrate();
  await gate.reached();
  await heal(fleet);
  await fleet.migrate({ to: LINKS, rollout: { check } });
  expect(await recorded(fleet)).toEqual([]);
  await gate.open();
  expect((await slow).fleet).toMatchObject({ upToDate: 2, failed: 0 });
  expect(await recorded(fleet)).toEqual([]);
  await fleet.rollback({ extent: { to: LINKS } });
  expect((await fleet.migrate()).totals).toMatchObject({ changed: 2, failed: 0 });
});
