import { TenantctlError } from '../../errors.ts';
import { findMigration, type MigrationFolder } from '../files/source.ts';
import { NOTHING, type BackwardExtent, type Plan } from './plan.ts';

/** Everything, or down to and including one migration; if absent, the last batch. */
export type RollbackExtent = { readonly all: true } | { readonly to: string };

/** Exactly what a run of `migrate tenants` has applied. */
export type RunExtent = { readonly run: number };

/** @throws TenantctlError MIGRATION_UNKNOWN */
export function toExtent(folder: MigrationFolder, extent: RollbackExtent | undefined): BackwardExtent {
  if (extent === undefined) return { kind: 'last-batch' };
  return 'all' in extent ? { kind: 'all' } : { kind: 'to', to: findMigration(folder, extent.to) };
}

/**
 * A rollback is decided once: this returns what is left of it, whoever undid the rest (for example an earlier
 * attempt that lost its connection). Anything else that another run did in between is a problem. Pure.
 * @param plan from the current history
 * @param planned what was decided, of which `done` is undone already
 */
export function stillPlanned(plan: Plan, planned: Plan, done: readonly string[]): Plan {
  const rest = planned.steps.slice(done.length);
  const left = rest.slice(Math.max(0, rest.length - plan.steps.length));
  const isRest =
    plan.steps.length === left.length && plan.steps.every((step, at) => step.name === left[at]?.name);
  if (isRest) return plan;
  if (done.length === 0 || rest.length === 0) return NOTHING;
  return {
    ...NOTHING,
    problem: new TenantctlError(
      'HISTORY_CHANGED',
      `Another run changed the history when ${done.length} of ${planned.steps.length} migrations had been undone; the rest was left alone.`,
      {
        migration: rest[0]?.name,
        hint: 'Check tenantctl status, and run the command again to undo more.',
      },
    ),
  };
}
