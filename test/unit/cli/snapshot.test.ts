import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { renderSnapshot } from '../../../src/cli/render/snapshot.ts';
import { ASCII } from '../../../src/cli/render/look.ts';
import type { FleetSnapshot } from '../../../src/core/fleet/snapshot.ts';
import type { Run } from '../../../src/core/ledger/read-runs.ts';

const LOOK = { paint: new Chalk({ level: 0 }), marks: ASCII, width: undefined };

const RUN: Run = {
  id: 42,
  command: 'migrate tenants',
  outcome: 'at-work',
  startedBy: 'ci',
  osUser: null,
  host: 'ci-7',
  pid: 12,
  version: '0.1.0',
  label: null,
  startedAt: new Date(0),
  endedAt: null,
  durationMs: null,
  planned: [],
  options: {},
  totals: { changed: 0, failed: 0 },
  notices: [],
  error: null,
};

function snapshotAt(
  seconds: number,
  changed: number,
  failed: number,
  more: Partial<FleetSnapshot> = {},
): FleetSnapshot {
  const behind = 1000 - changed - failed;
  return {
    at: new Date(seconds * 1000),
    status: {
      master: { applied: [], pending: [] },
      tenants: {
        total: 1000,
        upToDate: changed,
        behind,
        failed,
        notActive: 0,
        broken: 0,
        byStatus: { ACTIVE: 1000 },
      },
      versions: [],
      states: [],
    },
    runs: [{ ...RUN, totals: { changed, failed } }],
    blockers: [],
    ...more,
  };
}

test('the rate of a run is that of the time since the oldest snapshot, and tells when it will be done', async () => {
  const snapshots = [snapshotAt(10, 100, 0), snapshotAt(12, 150, 1), snapshotAt(20, 290, 10)];
  const lines = (await renderSnapshot(snapshots, 'none', LOOK)).split('\n');
  expect(lines[0]).toBe('1970-01-01 00:00:20 UTC');
  expect(lines).toContain('Run 42 migrate tenants, 300/1,000 tenants, 20/s, 35 s to go, 10 failed');
  expect(lines).toContain('  ci-7, process 12, for 20.0 s');
});

test('another command says how many tenants it is done with, and what blocks it', async () => {
  const runs = [{ ...RUN, command: 'rollback tenants', totals: { changed: 3, failed: 1 } }];
  const blockers = [
    { pid: 7, user: 'app', application: 'web', state: 'idle in transaction', query: 'UPDATE x' },
  ];
  const text = await renderSnapshot([snapshotAt(10, 100, 0, { runs, blockers })], 'none', LOOK);
  expect(text).toContain('Run 42 rollback tenants, 4 tenants, 1 failed\n');
  expect(text).toContain('  ! blocked by process 7 (app, web, idle in transaction): UPDATE x');
});
