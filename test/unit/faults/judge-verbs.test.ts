import { expect, test } from 'vitest';
import { judgeVerbs } from '../../faults/judge-verbs.ts';
import type { Scenario } from '../../faults/scenario.ts';
import type { Snapshot } from '../../faults/snapshot.ts';
import {
  inOneStep,
  whileBuilt,
  whileDeleted,
  whileRemoved,
  whileReplaced,
} from '../../faults/verb-states.ts';

const KEY = 'constraint homes homes_region_fkey FOREIGN KEY (region) REFERENCES regions(code) valid=t';
const CONTENT = [KEY, 'row homes {"id":1}'];

interface Tenant {
  readonly status: string;
  readonly content?: readonly string[];
  readonly verb?: string;
}

function snapshot(tenants: Readonly<Record<string, Tenant>>, more: Partial<Snapshot> = {}): Snapshot {
  const all = Object.entries(tenants);
  return {
    tenants: all.map(([name, { status, content }]) => ({
      schema: `tid_${name}`,
      organization: name,
      status,
      hasSchema: content !== undefined,
    })),
    schemas: all.flatMap(([name, { content }]) =>
      content === undefined ? [] : [{ schema: `tid_${name}`, history: ['1'], content }],
    ),
    verbs: all.flatMap(([organization, { verb }]) =>
      verb === undefined ? [] : [{ schema: `tid_${organization}`, organization, verb }],
    ),
    intents: [],
    tombstones: [],
    backups: [],
    besides: [],
    deeds: [],
    runs: [],
    rights: {},
    locks: [],
    lyingStamps: [],
    ...more,
  };
}

const ACTIVE: Tenant = { status: 'ACTIVE', content: CONTENT };
const BOTH = snapshot({ a: ACTIVE, b: ACTIVE });

function judging(
  between: NonNullable<Scenario['verb']>['between'],
  start: Snapshot,
  final: Snapshot,
  isEnd = false,
) {
  const scenario: Scenario = {
    id: 'tenant-verb',
    before: [],
    call: { args: [], extent: { master: 1, tenants: 1 } },
    steps: [],
    organizations: ['a'],
    hasOutside: false,
    verb: { between, beside: /^beside$/ },
  };
  return (found: Snapshot) => judgeVerbs(found, { scenario, start, final }, isEnd);
}

test('a tenant that is being dropped is there but for its foreign keys, or gone', () => {
  const gone = snapshot({ b: ACTIVE });
  const judge = judging(whileRemoved('drop'), BOTH, gone);
  const between = (content: readonly string[], verb?: string) =>
    judge(snapshot({ a: { status: 'SUSPENDED', content, ...(verb && { verb }) }, b: ACTIVE }));
  expect(
    [judge(BOTH), judge(gone), between(CONTENT, 'drop'), between([CONTENT[1] ?? ''], 'drop')].flat(),
  ).toEqual([]);
  expect(between([KEY], 'drop')[0]).toContain('a: it is SUSPENDED, with tid_a');
  expect(between(CONTENT)).toHaveLength(1);
  expect(between(CONTENT, 'archive')).toHaveLength(1);
  expect(judging(whileRemoved('drop'), BOTH, gone, true)(BOTH)).toHaveLength(1);
});

test('a tenant that is being built has an intent, or no schema yet', () => {
  const judge = judging(whileBuilt('restore'), snapshot({ b: ACTIVE }), BOTH);
  const found = (tenant: Tenant) => judge(snapshot({ a: { ...tenant, status: 'PROVISIONING' }, b: ACTIVE }));
  expect([found({ status: '' }), found({ status: '', content: [], verb: 'restore' })].flat()).toEqual([]);
  expect(found({ status: '', content: [] })[0]).toContain('a: it is PROVISIONING');
});

test('a tenant that is being replaced is as before, and only what the verb has built may stand beside it', () => {
  const judge = judging(whileReplaced, BOTH, BOTH);
  const verb = 'restore';
  expect(judge(snapshot({ a: { ...ACTIVE, verb }, b: ACTIVE }, { besides: ['beside'] }))).toEqual([]);
  expect(judge(snapshot({ a: { ...ACTIVE, content: [], verb }, b: ACTIVE }))).toHaveLength(1);
  expect(
    judging(whileReplaced, BOTH, BOTH, true)(snapshot({ a: ACTIVE, b: ACTIVE }, { besides: ['beside'] })),
  ).toEqual(['beside: a schema that nobody knows']);
});

test('between two batches some rows are gone, and nothing else', () => {
  const note = 'row notes {"id":1}';
  const start = snapshot({ a: { ...ACTIVE, content: [...CONTENT, note] }, b: ACTIVE });
  const judge = judging(whileDeleted, start, BOTH);
  expect(judge(start)).toEqual([]);
  expect(judge(snapshot({ a: { ...ACTIVE, content: [KEY, note] }, b: ACTIVE }))).toHaveLength(1);
  const other = snapshot({ a: { ...ACTIVE, content: [...CONTENT, 'row notes {"id":2}'] }, b: ACTIVE });
  expect(judge(other)).toHaveLength(1);
});

test('one row that is lost is found, and so is a change of a tenant that was not named', () => {
  const judge = judging(inOneStep, BOTH, BOTH);
  expect(judge(snapshot({ a: { ...ACTIVE, content: [KEY] }, b: ACTIVE }))[0]).toContain('row homes {"id":1}');
  expect(judge(snapshot({ a: ACTIVE, b: { ...ACTIVE, status: 'SUSPENDED' } }))[0]).toContain(
    'b: it is SUSPENDED, with tid_b at [1], and it was not named',
  );
});

test('tombstones and recorded backups go with what the ledger says', () => {
  const judge = judging(inOneStep, BOTH, BOTH);
  const deed = (outcome: string) => ({ schema: 'tid_a', direction: 'down', names: [], outcome }) as const;
  const found = (more: Partial<Snapshot>) => judge(snapshot({ a: ACTIVE, b: ACTIVE }, more));
  const file = { schema: 'tid_a', file: '/a.tar', sha256: '' };
  const tombstone = { schema: 'tid_a', backup: '/a.tar' };
  expect(found({ deeds: [deed('dropped')], tombstones: [tombstone], backups: [file] })).toEqual([]);
  expect(found({ deeds: [deed('dropped')], tombstones: [{ ...tombstone, backup: null }] })).toEqual([]);
  expect(found({ tombstones: [{ ...tombstone, backup: null }] })).not.toEqual([]);
  expect(found({ deeds: [deed('backed-up')] })).toEqual([
    'tid_a: 0 recorded backups, and the ledger has another number',
  ]);
});
