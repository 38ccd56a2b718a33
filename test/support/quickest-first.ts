import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Projects in the order in which they tell most in the least time. */
const ORDER = ['unit', 'integration', 'cli', 'pooler'];

/** Waits a minute for timeouts of the server, and leaves the processor to others meanwhile. */
const WAITS = /cli\/dead-clients/;

/**
 * Runs the projects in that order, after what only waits. Within a project, what took longest comes first, so that all
 * workers end together.
 */
export class QuickestFirst extends BaseSequencer {
  override async sort(specifications: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(specifications);
    const rank = ({ moduleId, project }: TestSpecification) =>
      WAITS.test(moduleId) ? -1 : ORDER.indexOf(project.name);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}
