import { appendFileSync } from 'node:fs';
import type { Reporter, SerializedError, TestModule, Vitest } from 'vitest/node';

const SHOWN = 10;

/**
 * Prints why tests were skipped and which files were slowest. A skip without a reason fails the run. Appends
 * two numbers, passed and failed, to the file in TEST_COUNTS.
 */
export default class RunReport implements Reporter {
  #isNarrowed = false;

  onInit(vitest: Vitest): void {
    // --testNamePattern skips all other tests.
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

function secondsOf(module: TestModule): number {
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  return (collectDuration + setupDuration + duration) / 1000;
}

/** Passed and failed tests. A failure outside a file's tests, or an error outside all files, counts as one. */
function countsOf(modules: readonly TestModule[], errors: readonly SerializedError[]): [number, number] {
  const count = (module: TestModule, state: 'passed' | 'failed') =>
    [...module.children.allTests(state)].length;
  const passed = modules.reduce((sum, module) => sum + count(module, 'passed'), 0);
  const failed = modules.map((module) => Math.max(count(module, 'failed'), module.ok() ? 0 : 1));
  return [passed, failed.reduce((sum, each) => sum + each, errors.length)];
}
