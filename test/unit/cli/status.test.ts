import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { ASCII, UNICODE, type Look } from '../../../src/cli/render/look.ts';
import { renderStatus } from '../../../src/cli/render/status.ts';
import type { Attention } from '../../../src/core/fleet/attention.ts';
import type { FleetStatus } from '../../../src/core/fleet/status.ts';
import type { TenantState } from '../../../src/core/fleet/tenant-state.ts';

const plain: Look = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };
const NEWEST = '20261126180000_drop_legacy_columns.sql';
const LATE: Attention = {
  code: 'HISTORY_DISAGREES',
  problem: '20261124150000_add_status.sql sorts before 20261126180000_drop_legacy_columns.sql, the last one',
};

const state = (nth: number, attention?: Attention) =>
  ({
    tenant: { clerkOrgId: `org_${nth}`, schema: `tid_${nth}`, status: 'ACTIVE' },
    class: attention === undefined ? 'upToDate' : 'failed',
    applied: [NEWEST],
    pending: [],
    lacks: [],
    attention,
  }) as unknown as TenantState;

function statusOf(given: Partial<FleetStatus>): FleetStatus {
  const none = { total: 0, upToDate: 0, behind: 0, failed: 0, broken: 0, notActive: 0, byStatus: {} };
  return {
    master: { applied: ['1'], pending: [] },
    versions: [],
    states: [],
    ...given,
    tenants: { ...none, ...given.tenants },
  };
}

const FLEET = statusOf({
  tenants: {
    total: 31,
    upToDate: 15,
    behind: 12,
    failed: 2,
    broken: 1,
    notActive: 1,
    byStatus: { ACTIVE: 31 },
  },
  versions: [
    { version: NEWEST, tenants: 15, pending: 0 },
    { version: '20261123140000_index.sql', tenants: 14, pending: 3 },
    { version: null, tenants: 1, pending: 6 },
  ],
});

test('the fleet is a bar by class and a histogram by version, which do not need colours', async () => {
  expect((await renderStatus(FLEET, 'none', plain)).split('\n')).toEqual([
    'Master   1 migration applied, 0 pending',
    'Tenants  31: █ 15 up to date, ▒ 12 behind, ✖ 2 failed, ! 1 broken, · 1 not active',
    '         ███████████████████████████▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒✖✖✖!·',
    'Versions 15  ████████████  20261126180000_drop_legacy_columns.sql',
    '         14  ███████████   20261123140000_index.sql                3 pending',
    '          1  █             none applied                            6 pending',
  ]);
});

test('one tenant of 50,000 is seen, and the bar is as long as ever', async () => {
  const tenants = { ...FLEET.tenants, total: 50_000, upToDate: 49_998, behind: 0, failed: 1, notActive: 0 };
  const text = await renderStatus({ ...FLEET, tenants }, 'none', { ...plain, marks: ASCII });
  expect(text).toContain(`\n         ${'#'.repeat(49)}x!\n`);
});

test('many versions take eight lines: the rarest are summed', async () => {
  const versions = Array.from({ length: 40 }, (_, nth) => ({
    version: `${40 - nth}_x.sql`,
    tenants: nth === 30 ? 500 : nth,
    pending: nth,
  }));
  const lines = (await renderStatus({ ...FLEET, versions }, 'none', plain)).split('\n').slice(3);
  expect(lines.map((line) => / (\d+_x\.sql)/.exec(line)?.[1])).toEqual(
    [10, 6, 5, 4, 3, 2, 1].map<string | undefined>((nth) => `${nth}_x.sql`).concat(undefined),
  );
  expect(lines.at(-1)).toBe('         … 531 tenants at 33 other versions');
});

test('a late file is one block, whatever the number of tenants; --verbose lists them', async () => {
  const states = Array.from({ length: 31 }, (_, nth) => state(nth, LATE));
  const status = statusOf({ tenants: { ...FLEET.tenants, total: 31, failed: 31 }, states });
  const below = async (list: 'none' | 'attention') =>
    (await renderStatus(status, list, plain)).split('\n\n')[1]?.split('\n') ?? [];
  expect(await below('none')).toEqual([
    `✖ 31 tenants: ${LATE.problem}`,
    '    org_0, org_1, org_2, org_3, org_4 and 26 more',
    'tenantctl status --verbose lists each of them; --all lists every tenant.',
  ]);
  expect(await below('attention')).toHaveLength(32);
});

test('causes are shown one by one, the mild ones last, and each in words that fit', async () => {
  const behind: Attention = {
    code: 'BEHIND',
    problem: '3 migrations behind, from 20261124150000_add_status.sql',
  };
  const states = [state(1, behind), state(2, behind), state(3, LATE), state(4)];
  const text = await renderStatus(statusOf({ states }), 'none', { ...plain, width: 60 });
  expect(text.split('\n\n')[1]).toBe(
    [
      '✖ org_3 tid_3: 20261124150000_add_status.sql sorts before',
      '    20261126180000_drop_legacy_columns.sql, the last one',
      '! 2 tenants: 3 migrations behind, from',
      '    20261124150000_add_status.sql',
      '    org_1, org_2',
      'tenantctl status --verbose lists each of them; --all lists every tenant.',
    ].join('\n'),
  );
});

test('tenants at many versions are behind in one block, and what is not shown is said to be listed elsewhere', async () => {
  const behind = (nth: number) => ({
    ...state(nth, { code: 'BEHIND', problem: `${nth} migrations behind, from ${nth}.sql` }),
    pending: Array.from({ length: nth }, (_, at) => `${at}.sql`),
  });
  const states = Array.from({ length: 40 }, (_, at) => behind(at + 1));
  const lines = (await renderStatus(statusOf({ states }), 'none', plain)).split('\n');
  expect(lines.slice(-3)).toEqual([
    '! 40 tenants: 1 to 40 migrations behind',
    '    org_1, org_2, org_3, org_4, org_5 and 35 more',
    'tenantctl status --verbose lists each of them; --all lists every tenant.',
  ]);
  expect(lines.length).toBeLessThan(9);

  const failed = states.map((each, nth) => ({
    ...each,
    attention: { code: 'FAILED', problem: `reason ${'abcdefghijklmnopqrst'[nth]}` } as Attention,
  }));
  const others = await renderStatus(statusOf({ states: failed.slice(0, 20) }), 'none', plain);
  expect(others).toMatch(/and 12 tenants for other reasons\ntenantctl status --verbose lists each of them/);
});

// Compared pair by pair, they would take minutes.
test('50,000 tenants that failed for one reason are gathered in one pass', async () => {
  const states = Array.from({ length: 50_000 }, (_, nth) => state(nth, LATE));
  const start = performance.now();
  await renderStatus(statusOf({ states }), 'none', plain);
  expect(performance.now() - start).toBeLessThan(20_000);
});

test('a tenant that lacks only what a newer release has applied is behind from there', async () => {
  const behind = { ...state(1, { code: 'BEHIND', problem: '...' }), lacks: ['20261201_new.sql'] };
  expect(await renderStatus(statusOf({ states: [behind] }), 'all', plain)).toContain(
    'behind, from 20261201_new.sql',
  );
});
