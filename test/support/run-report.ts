import { appendFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, Vitest } from 'vitest/node';

const SHOWN = 10;

/**
 * Prints why tests were skipped, and which files took longest. A test that is skipped without a reason fails the run.
 * Appends "passed failed", two numbers, to the file that TEST_COUNTS names.
 */
export default class RunReport implements Reporter {
  #isNarrowed = false;

  onInit(vitest: Vitest): void {
    // With --testNamePattern, the others are skipped because nobody asked for them.
    this.#isNarrowed = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    if (!this.#isNarrowed) for (const module of modules) printSkipped(module);
    printSlowest(modules);
    const file = process.env.TEST_COUNTS;
    if (file !== undefined) appendFileSync(file, `${countsOf(modules, errors).join(' ')}\n`);
  }
}

function printSkipped(module: TestModule): void {
  const counts = new Map<string | undefined, number>();
  for (const test of module.children.allTests('skipped')) {
    const result = test.result();
    const reason = result.state === 'skipped' ? result.note : undefined;
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  for (const [reason, count] of counts) {
    if (reason === undefined) process.exitCode = 1;
    const text = reason ?? 'NO REASON GIVEN. Use context.skip(condition, reason)';
    console.log(`Skipped in ${module.relativeModuleId}: ${count} (${text})`);
  }
}

function printSlowest(modules: readonly TestModule[]): void {
  const slowest = modules
    .map((module) => ({ path: module.relativeModuleId, seconds: secondsOf(module) }))
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, SHOWN);
  console.log(`\nThe slowest ${slowest.length} of ${modules.length} files:`);
  for (const { path, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${path}`);
}

/** Imports, hooks and tests. */
function secondsOf(module: TestModule): number {
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  return (collectDuration + setupDuration + duration) / 1000;
}

/** How many passed and failed. A file that fails outside its tests is one more that failed, and so is an error outside all files. */
function countsOf(modules: readonly TestModule[], errors: readonly SerializedError[]): [number, number] {
  const count = (module: TestModule, state: 'passed' | 'failed') =>
    [...module.children.allTests(state)].length;
  const passed = modules.reduce((sum, module) => sum + count(module, 'passed'), 0);
  const failed = modules.map((module) => Math.max(count(module, 'failed'), module.ok() ? 0 : 1));
  return [passed, failed.reduce((sum, each) => sum + each, errors.length)];
}
