import { expect, test } from 'vitest';
import { compile, type Recordings } from '../../../src/core/strategy/compiled.ts';
import type { History } from '../../../src/core/target/history.ts';
import { type Plan, historyAfter } from '../../../src/core/plan/plan.ts';
import { createRecording } from '../../../src/db/knex/recording.ts';

const HISTORY = 'knex_migrations_tenant';

function planOf(...names: string[]): Plan {
  const steps = names.map((name) => ({ name, file: { name, path: `/${name}` } }));
  return { steps, batch: 3, warnings: [] } as unknown as Plan;
}

/** What migrations sent: a text each, or with the reason why it holds for one tenant only. */
function sent(
  texts: Readonly<Record<string, readonly string[]>>,
  reasons: Readonly<Record<string, string>> = {},
): Recordings {
  return new Map(
    Object.entries(texts).map(([name, each]) => {
      const recording = createRecording();
      for (const text of each) recording.sent({ text, values: [] });
      const reason = reasons[name];
      if (reason !== undefined) recording.depends(reason);
      return [name, recording];
    }),
  );
}

test('what two tenants were sent alike is what all are sent, migration by migration', () => {
  const texts = { '1_a.js': ['A', 'B'], '2_b.sql': [], '3_c.js': ['C'] };
  expect(compile(planOf('1_a.js', '2_b.sql', '3_c.js'), 'up', sent(texts), sent(texts), HISTORY)).toEqual({
    direction: 'up',
    isTableChange: false,
    steps: [
      { name: '1_a.js', texts: ['A', 'B'] },
      { name: '2_b.sql', texts: [] },
      { name: '3_c.js', texts: ['C'] },
    ],
  });
});

/** Whether a plan whose one migration sends these texts needs nothing cleaned up behind it. */
function isTableChange(...texts: string[]): boolean | undefined {
  const recordings = sent({ '1_a.js': texts });
  const compiled = compile(planOf('1_a.js'), 'up', recordings, recordings, HISTORY);
  return 'isTableChange' in compiled ? compiled.isTableChange : undefined;
}

test('what changes tables and nothing else leaves nothing to be cleaned up', () => {
  expect(
    isTableChange('create table "a" ("id" serial primary key)', 'alter table "a" add column "b" integer;'),
  ).toBe(true);
  expect(isTableChange('CREATE UNIQUE INDEX a_b ON a (b)', 'DROP INDEX a_b', 'drop table a')).toBe(true);
});

test.each([
  'CREATE TEMP TABLE a ()',
  'CREATE TABLE a AS SELECT 1; SET ROLE x',
  'CREATE TABLE a (b int) ; SELECT 1',
  "CREATE TABLE a AS SELECT set_config('work_mem', '1MB', false)",
  'CREATE TABLE a AS SELECT pg_advisory_lock(1)',
  'CREATE TABLE a AS SELECT own_function()',
  'CREATE TABLE a AS TABLE b',
  'CREATE TABLE a (b int DEFAULT 1) AS SELECT own_function()',
  "CREATE TABLE a AS SELECT nextval('s')",
  'ALTER TABLE a ADD b int DEFAULT own_function()',
  'ALTER TABLE a ADD CHECK (own_function(b))',
  'ALTER TABLE a ALTER b TYPE text USING own_function(b)',
  'CREATE INDEX a_b ON a (own_function(b))',
  'DROP TABLE knex_migrations_tenant',
  'SELECT 1',
  'SET ROLE x',
  'INSERT INTO a VALUES (1)',
  'DO $$ BEGIN END $$',
])('what may leave something behind is cleaned up after: %j', (text) => {
  expect(isTableChange('CREATE TABLE z ()', text)).toBe(false);
});

test.each<[string, readonly string[], readonly string[]]>([
  ['another text', ['A'], ['B']],
  ['one more', ['A'], ['A', 'B']],
  ['one less', ['A', 'B'], ['A']],
  ['another order', ['A', 'B'], ['B', 'A']],
  ['a blank more', ['A'], ['A ']],
  ['another cut', ['A;B'], ['A', 'B']],
])('two tenants that were sent different things speak for themselves only: %s', (_, one, other) => {
  const difference = { migration: '2_b.js', reason: 'it sent different statements to two tenants' };
  const [first, second] = [
    sent({ '1_a.js': ['X'], '2_b.js': one }),
    sent({ '1_a.js': ['X'], '2_b.js': other }),
  ];
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', first, second, HISTORY)).toEqual(difference);
});

test('what depends on the tenant does so whichever of the two shows it, and the first such migration is named', () => {
  const texts = { '1_a.js': ['A'], '2_b.js': ['B'], '3_c.js': ['C'] };
  const plan = planOf('1_a.js', '2_b.js', '3_c.js');
  const dependent = sent(texts, { '2_b.js': 'it reads', '3_c.js': 'it binds' });
  const answer = { migration: '2_b.js', reason: 'it reads' };
  expect(compile(plan, 'down', dependent, sent(texts), HISTORY)).toEqual(answer);
  expect(compile(plan, 'down', sent(texts), dependent, HISTORY)).toEqual(answer);
});

test('a migration that one of the two did not come to is not sent to anybody', () => {
  const [both, one] = [sent({ '1_a.js': ['A'], '2_b.js': ['B'] }), sent({ '1_a.js': ['A'] })];
  const unseen = { migration: '2_b.js', reason: 'it was not seen' };
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', both, one, HISTORY)).toEqual(unseen);
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', one, both, HISTORY)).toEqual(unseen);
});

test('the history afterwards has the rows more, or less, that the plan says', () => {
  const history = {
    entries: [
      { name: '1_a.js', batch: 1 },
      { name: '2_b.js', batch: 2 },
    ],
    lockedByKnex: false,
  } as History;
  expect(historyAfter(history, planOf('3_c.js', '4_d.js'), 'up')).toEqual([
    { name: '1_a.js', batch: 1 },
    { name: '2_b.js', batch: 2 },
    { name: '3_c.js', batch: 3 },
    { name: '4_d.js', batch: 3 },
  ]);
  expect(historyAfter(history, planOf('2_b.js'), 'down')).toEqual([{ name: '1_a.js', batch: 1 }]);
  expect(historyAfter(history, planOf('2_b.js', '1_a.js'), 'down')).toEqual([]);
});
