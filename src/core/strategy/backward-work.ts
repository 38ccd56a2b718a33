import type { TenantsRollback } from '../fleet/plan-rollback.ts';
import { planBackward } from '../plan/plan.ts';
import { stillPlanned } from '../plan/rollback-extent.ts';
import type { MigrationWork } from './migration-work.ts';

/** The work of a rollback as it was planned. */
export function backwardWork(
  { folder, extentOf }: Pick<TenantsRollback, 'folder' | 'extentOf'>,
  more: Pick<MigrationWork, 'command' | 'closing' | 'lanes' | 'compile' | 'observe'>,
): MigrationWork {
  return {
    ...more,
    direction: 'down',
    statuses: ['ACTIVE'],
    decide: ({ tenant, plan }, history, undone) =>
      stillPlanned(planBackward(folder, history, extentOf(tenant)), plan, undone),
  };
}
