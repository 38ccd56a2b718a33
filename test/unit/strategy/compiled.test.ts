import { expect, test } from 'vitest';
import { compile, type Recordings } from '../../../src/core/strategy/compiled.ts';
import type { History } from '../../../src/core/target/history.ts';
import { type Plan, historyAfter } from '../../../src/core/plan/plan.ts';
import { createRecording } from '../../../src/db/knex/recording.ts';

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
  expect(compile(planOf('1_a.js', '2_b.sql', '3_c.js'), 'up', sent(texts), sent(texts))).toEqual({
    direction: 'up',
    steps: [
      { name: '1_a.js', texts: ['A', 'B'] },
      { name: '2_b.sql', texts: [] },
      { name: '3_c.js', texts: ['C'] },
    ],
  });
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
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', first, second)).toEqual(difference);
});

test('what depends on the tenant does so whichever of the two shows it, and the first such migration is named', () => {
  const texts = { '1_a.js': ['A'], '2_b.js': ['B'], '3_c.js': ['C'] };
  const plan = planOf('1_a.js', '2_b.js', '3_c.js');
  const dependent = sent(texts, { '2_b.js': 'it reads', '3_c.js': 'it binds' });
  const answer = { migration: '2_b.js', reason: 'it reads' };
  expect(compile(plan, 'down', dependent, sent(texts))).toEqual(answer);
  expect(compile(plan, 'down', sent(texts), dependent)).toEqual(answer);
});

test('a migration that one of the two did not come to is not sent to anybody', () => {
  const [both, one] = [sent({ '1_a.js': ['A'], '2_b.js': ['B'] }), sent({ '1_a.js': ['A'] })];
  const unseen = { migration: '2_b.js', reason: 'it was not seen' };
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', both, one)).toEqual(unseen);
  expect(compile(planOf('1_a.js', '2_b.js'), 'up', one, both)).toEqual(unseen);
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
