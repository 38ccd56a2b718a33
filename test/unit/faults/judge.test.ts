import { expect, test } from 'vitest';
import { judgeEnd, judgeRemains } from '../../faults/judge.ts';
import { contentKey } from '../../faults/reference.ts';
import type { Scenario } from '../../faults/scenario.ts';
import type { SchemaSnapshot, Snapshot, TenantSnapshot } from '../../faults/snapshot.ts';

/*
 * Two migrations, each with a row that counts its execution. What the harness would overlook, it would never report: so
 * every broken promise is put before the judge once.
 */

const ONE = { history: ['1'], content: ['relation deeds', 'row deeds {"name":"1"}'] };
const TWO = { history: ['1', '2'], content: [...ONE.content, 'row deeds {"name":"2"}'] };

const ACTIVE: TenantSnapshot = { schema: 'tid_a', organization: 'org_a', status: 'ACTIVE', hasSchema: true };
const SCENARIO: Scenario = {
  id: 'migrate-tenants',
  before: [],
  call: { args: [], extent: { master: 1, tenants: 2 } },
  steps: [],
  organizations: ['org_a'],
  hasOutside: false,
};

function snapshot(of: Omit<SchemaSnapshot, 'schema'>, more: Partial<Snapshot> = {}): Snapshot {
  return {
    tenants: [ACTIVE],
    schemas: [{ schema: 'tid_a', ...of }],
    intents: [],
    verbs: [],
    tombstones: [],
    backups: [],
    besides: [],
    deeds:
      of.history.length > ONE.history.length
        ? [{ schema: 'tid_a', direction: 'up', names: ['2'], outcome: 'migrated' }]
        : [],
    runs: [],
    rights: {},
    locks: [],
    lyingStamps: [],
    ...more,
  };
}

const EXPECTED = {
  scenario: SCENARIO,
  start: snapshot(ONE),
  final: snapshot(TWO),
  contents: new Map([ONE, TWO].map(({ history, content }) => [contentKey('tid_a', history), content])),
  varying: new Set<string>(),
};

const remains = (found: Snapshot) => judgeRemains(found, EXPECTED);

test('a tenant that is where a run may stop is in order', () => {
  expect(remains(snapshot(ONE))).toEqual([]);
  expect(remains(snapshot(TWO))).toEqual([]);
  expect(judgeEnd(snapshot(TWO), EXPECTED)).toEqual([]);
});

test('a history that is ahead of its schema is found', () => {
  const [finding] = remains(snapshot({ history: TWO.history, content: ONE.content }));
  expect(finding).toContain('it lacks row deeds {"name":"2"}');
});

test('a schema that is ahead of its history is found', () => {
  const [finding] = remains(snapshot({ history: ONE.history, content: TWO.content }));
  expect(finding).toContain('it has row deeds {"name":"2"}');
});

test('a migration that was applied twice is found', () => {
  const content = [...TWO.content, 'row deeds {"name":"2"}'];
  const [finding] = remains(snapshot({ history: TWO.history, content }));
  expect(finding).toContain('it has row deeds {"name":"2"} (2)');
  expect(remains(snapshot({ history: ['1', '2', '2'], content: TWO.content }))[0]).toContain(
    'no run ends with',
  );
});

test('rows that undisturbed runs write differently are counted all the same', () => {
  const expected = { ...EXPECTED, varying: new Set(['tid_a.deeds']) };
  const other = ['relation deeds', 'row deeds {"name":"x"}', 'row deeds {"name":"y"}'];
  expect(judgeRemains(snapshot({ history: TWO.history, content: other }), expected)).toEqual([]);
  const one = snapshot({ history: TWO.history, content: other.slice(0, 2) });
  expect(judgeRemains(one, expected)[0]).toContain('it lacks row deeds (2)');
});

test('a lock, a stamp that lies, and a ledger that says something else are found', () => {
  expect(remains(snapshot(ONE, { locks: ['advisory lock 1/2'] }))).toEqual([
    'left behind: advisory lock 1/2',
  ]);
  expect(remains(snapshot(ONE, { lyingStamps: ['tid_a'] }))[0]).toContain('its stamp is believed');
  expect(remains(snapshot(TWO, { deeds: [] }))).toEqual(['tid_a: ledger and history differ in 2']);
});

test.each([
  [{ status: 'PROVISIONING' }, 'PROVISIONING, and there is a schema'],
  [{ hasSchema: false }, 'ACTIVE, and there is no schema'],
  [{ organization: undefined, status: undefined }, 'a schema that belongs to no tenant'],
])('a tenant that is half made is found: %o', (more, finding) => {
  const found = remains(snapshot(ONE, { tenants: [{ ...ACTIVE, ...more }] }));
  expect(found).toEqual([`tid_a: ${finding}`]);
});

test('between two migrations outside a transaction a tenant may be left, and no end is to be seen in that', () => {
  const expected = { ...EXPECTED, scenario: { ...SCENARIO, hasOutside: true } };
  const found = snapshot(ONE, { tenants: [{ ...ACTIVE, status: 'PROVISIONING' }] });
  expect(judgeRemains(found, expected)).toEqual([]);
  expect(judgeEnd(found, expected)).toContain('org_a is PROVISIONING');
});

test('a status that the ledger does not explain, and rights that are half given, are found', () => {
  const suspended = { tenants: [{ ...ACTIVE, status: 'SUSPENDED' }] };
  const deed = (outcome: string) => ({ schema: 'tid_a', direction: 'down', names: [], outcome }) as const;
  expect(remains(snapshot(ONE, suspended))).toEqual(['tid_a: it is SUSPENDED, and the ledger says nothing']);
  expect(remains(snapshot(ONE, { ...suspended, deeds: [deed('suspended')] }))).toEqual([]);
  expect(remains(snapshot(ONE, { deeds: [deed('suspended')] }))).toEqual([
    'tid_a: it is ACTIVE, and the ledger says suspended',
  ]);
  expect(remains(snapshot(ONE, { deeds: [deed('suspended'), deed('resumed')] }))).toEqual([]);

  const granted = { ...EXPECTED, final: snapshot(ONE, { rights: { tid_a: ['SELECT notes', 'USAGE'] } }) };
  expect(judgeRemains(snapshot(ONE), granted)).toEqual([]);
  expect(judgeRemains(snapshot(ONE, { rights: { tid_a: ['USAGE'] } }), granted)).toEqual([
    "tid_a: the application's role has some of its rights: USAGE",
  ]);
  expect(judgeEnd(snapshot(ONE), granted)).toEqual([
    "tid_a: the rights of the application's role are not as asked",
  ]);
});

test('a job that is said to be finished and is not is found', () => {
  expect(judgeEnd(snapshot(ONE), EXPECTED)).toEqual(['tid_a: its history is [1], and it should be [1, 2]']);
  const intents = [{ schema: 'tid_a', migration: '2', direction: 'up' } as const];
  expect(judgeEnd(snapshot(TWO, { intents }), EXPECTED)).toEqual(['tid_a: an intent of 2 is left']);
});
