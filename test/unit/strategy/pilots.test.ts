import { expect, test } from 'vitest';
import type { MigrationTask } from '../../../src/core/fleet/plan-fleet.ts';
import { learn, lessonOf, type Lesson } from '../../../src/core/strategy/pilots.ts';

const names = ['create_a.js', 'create_b.js', 'create_c.js'];

function task(): MigrationTask {
  const steps = names.map((name) => ({ name, file: { name, path: `/migrations/${name}`, format: 'js' } }));
  return { tenant: { schema: 'tid_1', clerkOrgId: 'org_1' }, plan: { steps } } as unknown as MigrationTask;
}

test('the code of a migration is examined before it runs, and that of the next one while it runs', async () => {
  const examined: string[] = [];
  const pilot = task();
  const lesson: Lesson = lessonOf(new Map(), pilot);
  lesson.mayCompile = true;
  lesson.examined = new Map(names.map((name) => [name, () => Promise.resolve(void examined.push(name))]));

  const seen: string[][] = [];
  await learn(lesson, pilot, async (record) => {
    for (const name of names) {
      await record?.(name);
      seen.push([...examined]);
    }
    return { kind: 'done', done: { names, batch: 1, isCommitted: true } };
  });

  expect(seen[0]).toEqual(['create_a.js', 'create_b.js']);
  expect(new Set(seen[1])).toEqual(new Set(names));
});
