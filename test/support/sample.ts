import { createHash } from 'node:crypto';
import { beforeEach, type RunnerTask } from 'vitest';

/*
 * TEST_SHARE=0.3 runs three tests of ten, at least one of each describe block: those that TEST_SEED chooses, the same for
 * the same seed. Without TEST_SHARE all tests run.
 */

const share = Number(process.env.TEST_SHARE ?? 1);
const seed = process.env.TEST_SEED ?? '';

const samples = new WeakMap<object, ReadonlySet<string>>();

if (share < 1) {
  beforeEach(({ task, skip }) => {
    const chosen = samples.get(task.file) ?? new Set(choose(task.file));
    samples.set(task.file, chosen);
    skip(!chosen.has(task.id), `not in the sample: TEST_SHARE=${share} TEST_SEED=${seed}`);
  });
}

/** The ids of sampled tests, block by block. */
function choose({ tasks }: { readonly tasks: readonly RunnerTask[] }): string[] {
  const tests = tasks
    .filter((task) => task.type === 'test')
    .map((task) => ({ id: task.id, rank: rankOf(task) }));
  const ranked = tests.toSorted((a, b) => (a.rank < b.rank ? -1 : 1));
  const blocks = tasks.filter((task) => task.type === 'suite');
  return [...ranked.slice(0, Math.ceil(tests.length * share)).map(({ id }) => id), ...blocks.flatMap(choose)];
}

/** Ids differ between test.each cases with the same name; both are stable within a file. */
function rankOf({ id, name }: RunnerTask): string {
  return createHash('sha256').update(`${seed} ${id} ${name}`).digest('hex');
}
