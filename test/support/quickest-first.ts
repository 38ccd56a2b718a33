import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Projects ordered by most information in least time. */
const ORDER = ['unit', 'integration', 'browser', 'cli', 'pooler'];

/** Waits a minute for server timeouts and leaves the CPU to others. */
const WAITS = /cli\/dead-clients/;

/** First files that only wait, then projects in order, slowest files first, so that all workers end together. */
export class QuickestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(specifications);
    const rank = ({ moduleId, project }: TestSpecification) =>
      WAITS.test(moduleId) ? -1 : ORDER.indexOf(project.name);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
