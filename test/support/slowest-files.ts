import type { Reporter, TestModule, Vitest } from 'vitest/node';

const SHOWN = 10;

/** Prints why tests were skipped, and which files took longest. A test that is skipped without a reason fails the run. */
export default class SlowestFiles implements Reporter {
  #isNarrowed = false;

  onInit(vitest: Vitest): void {
    // With --testNamePattern, the others are skipped because nobody asked for them.
    this.#isNarrowed = vitest.config.testNamePattern !== undefined;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    if (!this.#isNarrowed) for (const module of modules) printSkipped(module);
    const slowest = modules
      .map((module) => ({ path: module.relativeModuleId, seconds: secondsOf(module) }))
      .toSorted((a, b) => b.seconds - a.seconds)
      .slice(0, SHOWN);
    console.log(`\nThe slowest ${slowest.length} of ${modules.length} files:`);
    for (const { path, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(7)} s  ${path}`);
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

/** Imports, hooks and tests. */
function secondsOf(module: TestModule): number {
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  return (collectDuration + setupDuration + duration) / 1000;
}
