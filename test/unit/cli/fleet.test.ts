import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { renderFleet } from '../../../src/cli/render/fleet.ts';
import { UNICODE } from '../../../src/cli/render/look.ts';
import { renderStage } from '../../../src/cli/render/rollout.ts';
import { fleetResult, untouched, type TenantResult } from '../../../src/core/report/results.ts';
import type { RolloutResult } from '../../../src/core/report/rollout-result.ts';
import { TenantctlError } from '../../../src/errors.ts';

const plain = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };

const tenant = (clerkOrgId: string) => ({ clerkOrgId, schema: `tid_${clerkOrgId}` });
const MIGRATED: TenantResult = {
  ...tenant('org_a'),
  outcome: 'migrated',
  names: ['1_a.sql'],
  batch: 1,
  durationMs: 5,
};
const SKIPPED = untouched(tenant('org_b'), 'skipped', { reason: 'the run was interrupted' });
const FAILED = untouched(tenant('org_c'), 'failed', {
  error: new TenantctlError('MIGRATION_FAILED', 'it broke'),
});
const STOPPED: RolloutResult = {
  waves: [],
  planned: 2,
  unchecked: 0,
  stopped: { among: 'tenants', failed: 0, allowed: 0, limit: { count: 0 }, of: 2, reason: 'why' },
};

async function rendered(tenants: readonly TenantResult[], isAborted = false, rollout?: RolloutResult) {
  const controller = new AbortController();
  if (isAborted) controller.abort();
  const run = { elapsedMs: () => 5, settled: 1, shared: false, notActive: {}, rollout };
  const result = fleetResult(tenants, { ...run, signal: controller.signal });
  return renderFleet({ ...result, durationMs: 5 }, 'migrated', false, plain);
}

/** The line with the totals, and what follows it. */
async function summary(...given: Parameters<typeof rendered>) {
  const lines = (await rendered(...given)).split('\n');
  return lines.slice(lines.findIndex((line) => / tenants: /.test(line)));
}

test('the totals have a green mark only if everything that was asked for is done', async () => {
  expect(await summary([MIGRATED])).toEqual(['✔ 2 tenants: 1 migrated, 1 up to date, 0 failed (5 ms)']);
  expect(await summary([MIGRATED, SKIPPED], true)).toEqual([
    '! Interrupted. 3 tenants: 1 migrated, 1 up to date, 0 failed, 1 left out (5 ms)',
    '→ Run the command again: it continues where this run stopped.',
  ]);
  expect((await summary([MIGRATED, FAILED, SKIPPED], true))[0]).toMatch(/^✖ Interrupted\. /);
  expect((await summary([MIGRATED, FAILED]))[0]).toMatch(/^✖ 3 tenants/);
  expect((await summary([MIGRATED, SKIPPED], false, STOPPED))[0]).toMatch(/^✖ 3 tenants/);
  // All tenants were served before the signal had an effect.
  expect((await summary([MIGRATED], true))[0]).toMatch(/^✔ 2 tenants/);
});

test('after a rollback of named tenants that is not complete, only the others are named for the next try', async () => {
  const result = fleetResult([{ ...MIGRATED, outcome: 'rolled-back' }, SKIPPED, FAILED], {
    elapsedMs: () => 5,
    settled: 0,
    shared: false,
    notActive: {},
    signal: AbortSignal.abort(),
  });
  const shown = await renderFleet(result, 'rolled back', false, plain, false);
  expect(shown).not.toContain('Run the command again');
  expect(shown).toContain('tenantctl rollback tenants --tenant org_b org_c');
});

test('tenants of many versions are a few blocks, the largest first, and long lists of migrations are counted', async () => {
  const names = Array.from({ length: 40 }, (_, at) => `${at + 10}.sql`);
  const tenants = names.map((_, at) => ({ ...MIGRATED, ...tenant(`org_${at}`), names: names.slice(at) }));
  const twin = { ...MIGRATED, ...tenant('org_x'), names: names.slice(39) };
  const lines = (await rendered([...tenants, twin])).split('\n');
  expect(lines.slice(0, 6)).toEqual([
    '✔ 2 tenants migrated:',
    '  49.sql',
    '    org_39, org_x',
    '✔ 1 tenant migrated:',
    '  40 migrations: 10.sql to 49.sql',
    '    org_0',
  ]);
  expect(lines).toContain('✔ 32 tenants migrated from other versions; --verbose shows all');
  expect(lines.length).toBeLessThan(30);
});

test('a wave is told with its result', () => {
  const wave = { kind: 'wave', number: 2, of: 4, tenants: 70, upToDate: 0, durationMs: 3_100 } as const;
  const none = { migrated: 0, failed: 0, skipped: 0 };
  expect(renderStage({ ...wave, ...none, migrated: 70 }, plain)).toBe(
    'Wave 2 of 4: 70 tenants ✔ 70 done (3.1 s)',
  );
  expect(renderStage({ ...wave, migrated: 66, failed: 3, skipped: 1, refused: 2, checked: 68 }, plain)).toBe(
    'Wave 2 of 4: 70 tenants ✖ 66 done, 3 failed (2 refused by the check), 1 not started (3.1 s)',
  );
  expect(renderStage({ ...wave, ...none, kind: 'canary', tenants: 1, skipped: 1 }, plain)).toBe(
    'Canaries: 1 tenant ! 1 not started (3.1 s)',
  );
});
