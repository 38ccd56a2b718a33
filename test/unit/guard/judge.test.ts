import { expect, test } from 'vitest';
import { objectKey, lockKey, type SchemaBefore } from '../../../src/core/guard/before.ts';
import type { Description, Descriptions } from '../../../src/core/guard/description.ts';
import { outsideSchema } from '../../../src/core/guard/errors.ts';
import { judge, questionsAbout, type Facts } from '../../../src/core/guard/judge.ts';
import type { Trespass } from '../../../src/core/guard/trespass.ts';
import type { SeenLock, SeenRow, Effects } from '../../../src/core/guard/effects.ts';

const SCHEMA = 'tid_0123456789';
const LARGEST = 50_000;

/** A relation of which the server shows a lock. */
const lock = (oid: string, mode: string, where: string, more: Partial<SeenLock> = {}): SeenLock => {
  const [schema = '', name = ''] = where.split('.');
  return { catalog: 'pg_class', oid, mode, schema, name, kind: 'r', isOtherTenants: false, ...more };
};

/** A lock on what is not there any more. */
const gone = (oid: string, mode = 'AccessExclusiveLock'): SeenLock => ({
  ...lock(oid, mode, ''),
  schema: null,
  name: null,
  kind: null,
});

const row = (catalog: string, oid: string, more: Partial<SeenRow> = {}): SeenRow => ({
  catalog,
  oid,
  writtenBy: '900',
  isInSchema: false,
  isReferred: false,
  extension: null,
  ...more,
});

const known = (catalog: string, oid: string, description: Partial<Description>): [string, Description] => [
  objectKey({ catalog, oid }),
  { type: 'table', identity: '', isOtherTenants: false, extension: null, form: null, ...description },
];

interface Case {
  readonly schemaBefore?: Partial<SchemaBefore>;
  readonly marks?: Facts['marks'];
  readonly role?: string;
  readonly effects?: Partial<Effects>;
}

const facts = ({ schemaBefore, marks = [], role, effects }: Case): Facts => ({
  schema: SCHEMA,
  role,
  marks,
  schemaBefore: {
    locks: new Set(),
    own: new Set(['pg_class:100']),
    foreignKeys: {},
    writes: [],
    largestOid: LARGEST,
    since: null,
    began: '0',
    ...schemaBefore,
  },
  effects: { locks: [], rows: [], foreignKeys: {}, hasHiddenCalls: false, isWhole: true, ...effects },
});

const NOTHING: Descriptions = new Map();
const told = (trespasses: readonly Trespass[]) =>
  trespasses.map(({ deed, identity, step }) => `${step}: ${deed} ${identity}`);

const SHARED = 'public.countries';
const shared = (form = 'as it was') => known('pg_class', '7', { identity: SHARED, form });

test('what a migration does to its own schema, and rows that it reads and writes in shared tables, are no trespass', () => {
  const { trespasses, observed } = judge(
    facts({
      effects: {
        locks: [
          lock('100', 'AccessExclusiveLock', `${SCHEMA}.users`),
          lock('60001', 'AccessExclusiveLock', `${SCHEMA}.made`),
          gone('100'),
          lock('7', 'RowExclusiveLock', SHARED),
          lock('8', 'AccessShareLock', 'audit.entries'),
          lock('9', 'RowExclusiveLock', 'pg_catalog.pg_class'),
          lock('10', 'AccessExclusiveLock', 'pg_temp_3.scratch'),
        ],
      },
    }),
    NOTHING,
    NOTHING,
  );
  expect(trespasses).toEqual([]);
  expect(observed).toEqual({
    schemas: ['audit', 'public'],
    keyLocks: [],
    locksShared: false,
    hasExtension: false,
    hasHiddenCalls: false,
    drops: true,
  });
});

test.each([
  ['locked', 'ShareLock', 'as it was'],
  ['changed', 'AccessExclusiveLock', 'otherwise'],
])('a shared table that is locked against others was %s', (deed, mode, form) => {
  const found = facts({ effects: { locks: [lock('7', mode, SHARED)] } });
  expect(questionsAbout(found).before).toMatchObject([{ oid: '7' }]);
  const { trespasses } = judge(found, new Map([shared()]), new Map([shared(form)]));
  expect(told(trespasses)).toEqual([`0: ${deed} ${SHARED}`]);
});

test('a shared table that was not there before was created', () => {
  const found = facts({ effects: { locks: [lock('60007', 'AccessExclusiveLock', 'public.mine')] } });
  const now = new Map([known('pg_class', '60007', { identity: 'public.mine' })]);
  expect(told(judge(found, NOTHING, now).trespasses)).toEqual(['0: created public.mine']);
});

test('a new foreign key explains the lock on the table that it refers to, and others may take the same', () => {
  const found = facts({
    effects: { locks: [lock('7', 'ShareRowExclusiveLock', SHARED)], foreignKeys: { 61: '7' } },
  });
  const { trespasses, observed } = judge(found, new Map([shared()]), new Map([shared()]));
  expect(trespasses).toEqual([]);
  expect(observed.keyLocks).toEqual(['7:ShareRowExclusiveLock:as it was']);
  expect(observed.locksShared).toBe(true);
});

test('a foreign key that came and went explains the two locks that it takes, on its own table only', () => {
  const passing = [
    { ...gone('70001'), catalog: 'pg_trigger' },
    { ...gone('70000'), catalog: 'pg_constraint' },
  ];
  const both = ['ShareRowExclusiveLock', 'AccessExclusiveLock'].map((mode) => lock('7', mode, SHARED));
  const other = lock('8', 'AccessExclusiveLock', 'public.plans');
  const descriptions = new Map([shared(), known('pg_class', '8', { identity: 'public.plans' })]);
  const found = facts({ effects: { locks: [...passing, ...both, other] } });
  expect(told(judge(found, descriptions, descriptions).trespasses)).toEqual(['0: locked public.plans']);
});

test('what is another tenant’s and something depends on is named, if nothing graver was done to it', () => {
  const rows = [row('pg_class', '20', { isReferred: true }), row('pg_type', '21', { isReferred: true })];
  const others = new Map([
    known('pg_class', '20', { identity: 'tid_other.counter', isOtherTenants: true }),
    known('pg_type', '21', { identity: 'tid_other.mood', isOtherTenants: true }),
  ]);
  const counterIn = (mode: string) => [lock('20', mode, 'tid_other.counter', { isOtherTenants: true })];
  const judged = (mode: string) =>
    told(judge(facts({ effects: { locks: counterIn(mode), rows } }), others, others).trespasses);
  expect(judged('RowExclusiveLock')).toEqual([
    '0: touched tid_other.counter',
    '0: referred to tid_other.mood',
  ]);
  expect(judged('AccessShareLock')).toEqual([
    '0: referred to tid_other.counter',
    '0: referred to tid_other.mood',
  ]);
});

test('a foreign key that was there before explains nothing; one that has gone explains the stronger lock', () => {
  const locks = [lock('7', 'AccessExclusiveLock', SHARED)];
  const schemaBefore = { foreignKeys: { 61: '7' } };
  const judged = (foreignKeys: Effects['foreignKeys']) =>
    told(
      judge(
        facts({ schemaBefore, effects: { locks, foreignKeys } }),
        new Map([shared()]),
        new Map([shared()]),
      ).trespasses,
    );
  expect(judged({ 61: '7' })).toEqual([`0: locked ${SHARED}`]);
  expect(judged({})).toEqual([]);
});

test('another tenant’s relation may not even be read; its index alone says that a shared name was looked up', () => {
  const secrets = lock('20', 'AccessShareLock', 'tid_other.secrets', { isOtherTenants: true });
  const now = new Map([known('pg_class', '20', { identity: 'tid_other.secrets', isOtherTenants: true })]);
  const [trespass] = judge(facts({ effects: { locks: [secrets] } }), NOTHING, now).trespasses;
  expect(trespass).toMatchObject({ deed: 'touched', isOtherTenants: true });
  const index = { ...secrets, kind: 'i' };
  expect(judge(facts({ effects: { locks: [index] } }), NOTHING, now).trespasses).toEqual([]);
});

test('what is gone, and was there before, was dropped; what nobody has ever seen came and went', () => {
  const found = facts({ effects: { locks: [gone('7'), gone('60003')] } });
  expect(questionsAbout(found).before).toHaveLength(2);
  expect(told(judge(found, new Map([shared()]), NOTHING).trespasses)).toEqual([`0: dropped ${SHARED}`]);
});

test('an older table that has come into the schema was changed, not made', () => {
  const found = facts({ effects: { locks: [lock('7', 'AccessExclusiveLock', `${SCHEMA}.countries`)] } });
  const now = new Map([known('pg_class', '7', { identity: `${SCHEMA}.countries` })]);
  expect(told(judge(found, new Map([shared()]), now).trespasses)).toEqual([`0: changed ${SHARED}`]);
});

test('a catalog row that it wrote outside is told as created or changed, and by the migration that wrote it', () => {
  const found = facts({
    marks: [{ locks: new Set(), since: 500n }],
    effects: {
      rows: [row('pg_proc', '70001', { writtenBy: '600' }), row('pg_namespace', '11', { writtenBy: '400' })],
    },
  });
  const now = new Map([
    known('pg_proc', '70001', { type: 'function', identity: 'public.f()' }),
    known('pg_namespace', '11', { type: 'schema', identity: 'audit' }),
  ]);
  const before = new Map([known('pg_namespace', '11', { type: 'schema', identity: 'audit' })]);
  expect(told(judge(found, before, now).trespasses)).toEqual(['0: changed audit', '1: created public.f()']);
});

test('a relation’s catalog row that says the same as before is no change', () => {
  const found = facts({ effects: { rows: [row('pg_class', '7')] } });
  expect(judge(found, new Map([shared()]), new Map([shared()])).trespasses).toEqual([]);
  expect(judge(found, new Map([shared()]), new Map([shared('otherwise')])).trespasses).toHaveLength(1);
});

test('a lock is the first migration’s that is seen to hold it', () => {
  const seen = lock('7', 'ShareLock', SHARED);
  const marks = [
    { locks: new Set<string>(), since: 500n },
    { locks: new Set([lockKey(seen, 'ShareLock')]), since: 600n },
  ];
  const found = facts({ marks, effects: { locks: [seen] } });
  expect(told(judge(found, new Map([shared()]), new Map([shared()])).trespasses)).toEqual([
    `1: locked ${SHARED}`,
  ]);
});

test('what the transaction itself had made before the first migration is not the migration’s', () => {
  const seen = lock('7', 'AccessExclusiveLock', SHARED);
  const found = facts({
    schemaBefore: { locks: new Set([lockKey(seen, 'AccessExclusiveLock')]) },
    effects: { locks: [seen], rows: [row('pg_class', '7')] },
  });
  expect(questionsAbout(found)).toEqual({ before: [], now: [] });
  expect(judge(found, NOTHING, NOTHING).trespasses).toEqual([]);
});

test('an extension may be created with all that is in it; one that was there may not be changed', () => {
  const member = row('pg_proc', '70001', { extension: '90' });
  const found = facts({ effects: { rows: [row('pg_extension', '90', { extension: '90' }), member] } });
  const now = new Map([
    known('pg_extension', '90', { type: 'extension', identity: 'citext' }),
    known('pg_proc', '70001', { type: 'function', identity: 'public.f()' }),
  ]);
  expect(judge(found, NOTHING, now).trespasses).toEqual([]);
  const before = new Map([known('pg_extension', '90', { type: 'extension', identity: 'citext' })]);
  expect(judge(found, before, now).trespasses).toHaveLength(2);
});

test('what was there already, and was put into a new extension, was changed', () => {
  const found = facts({ effects: { rows: [row('pg_proc', '300', { extension: '90' })] } });
  const one = known('pg_proc', '300', { type: 'function', identity: 'public.one()' });
  expect(told(judge(found, new Map([one]), new Map([one])).trespasses)).toEqual(['0: changed public.one()']);
});

test('the tenant’s own role is its own; any other is not', () => {
  const judged = (role: string) =>
    judge(
      facts({ role: 'Owner of it', effects: { rows: [row('pg_authid', '70002')] } }),
      NOTHING,
      new Map([known('pg_authid', '70002', { type: 'role', identity: role })]),
    ).trespasses.length;
  expect([judged('Owner of it'), judged('"Owner of it"'), judged('intruder')]).toEqual([0, 0, 1]);
});

test('of a table and its row type, one is told; what was done tells more than how it was locked', () => {
  const found = facts({
    effects: {
      locks: [lock('60007', 'AccessExclusiveLock', 'public.mine'), lock('60007', 'ShareLock', 'public.mine')],
      rows: [row('pg_type', '60008'), row('pg_class', '60007')],
    },
  });
  const now = new Map([
    known('pg_class', '60007', { identity: 'public.mine' }),
    known('pg_type', '60008', { type: 'type', identity: 'public.mine[]' }),
  ]);
  expect(told(judge(found, NOTHING, now).trespasses)).toEqual(['0: created public.mine']);
});

test.each([
  ['module', `export const config = { allowOutside: ['public.earlier', '${SHARED}'] };`],
  ['sql', `-- migrate:up allow-outside:public.earlier,${SHARED}`],
] as const)('a %s file is told how it may say what it reaches: %s', (format, words) => {
  const { trespasses } = judge(
    facts({ effects: { locks: [lock('7', 'ShareLock', SHARED)] } }),
    new Map([shared()]),
    new Map([shared()]),
  );
  const migration = {
    file: { name: '1_add', stem: '1_add', path: '/nowhere/1_add', format },
    up: '',
    text: '',
    checksum: '',
    down: undefined,
    upInTransaction: true,
    downInTransaction: true,
    allowOutside: ['public.earlier'],
    allowUnparsed: false,
  };
  const target = { schema: SCHEMA, clerkOrgId: 'org' } as Parameters<typeof outsideSchema>[0]['target'];
  const { hint } = outsideSchema({ migration, direction: 'up', target }, trespasses);
  expect(hint?.endsWith(`says so: ${words}`)).toBe(true);
});
