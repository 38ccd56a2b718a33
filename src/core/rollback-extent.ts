import { findMigration, type MigrationFolder } from './migrations/source.ts';
import type { BackwardExtent, Plan } from './migrations/plan.ts';

/** How much a rollback undoes: everything, or down to and including one migration; the last batch where absent. */
export type RollbackExtent = { readonly all: true } | { readonly to: string };

/** @throws TenantctlError MIGRATION_UNKNOWN */
export function toExtent(folder: MigrationFolder, extent: RollbackExtent | undefined): BackwardExtent {
  if (extent === undefined) return { kind: 'last-batch' };
  return 'all' in extent ? { kind: 'all' } : { kind: 'to', to: findMigration(folder, extent.to) };
}

/**
 * A rollback is decided once: where another run has been quicker, nothing is undone a second time. Pure.
 * @param plan what the history asks for now
 * @param planned what was decided, of which `done` is undone already
 */
export function stillPlanned(plan: Plan, planned: Plan, done: readonly string[]): Plan {
  const rest = planned.steps.slice(done.length);
  const isSame =
    plan.steps.length === rest.length && plan.steps.every((step, at) => step.name === rest[at]?.name);
  return isSame ? plan : { steps: [], batch: 0, warnings: [] };
}
