import type { Applied } from '../apply/assignment.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { Session } from '../serve/session.ts';
import type { SharedQueue } from '../serve/shared-queue.ts';
import type { MigrationWork } from './migration-work.ts';
import type { Lesson } from './pilots.ts';

/** Tenants with the same plan. */
export interface PlanGroup {
  readonly session: Session<MigrationTask, Applied>;
  readonly migration: MigrationWork;
  readonly tasks: readonly MigrationTask[];
  readonly queue: SharedQueue<MigrationTask>;
  readonly lesson: Lesson;
}
