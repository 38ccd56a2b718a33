import { TenantctlError } from '../../errors.ts';
import type { History } from '../target/history.ts';
import { findMigration } from '../files/find-migration.ts';
import { type MigrationFolder } from '../files/source.ts';
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
 * attempt that lost its connection). If the history has changed in another way, nothing more is undone. Pure.
 * @param plan from the current history
 * @param planned what was decided, of which `done` is undone already
 */
export function stillPlanned(plan: Plan, planned: Plan, done: readonly string[], history: History): Plan {
  const rest = planned.steps.slice(done.length);
  const left = rest.slice(Math.max(0, rest.length - plan.steps.length));
  const isRest =
    plan.steps.length === left.length && plan.steps.every((step, at) => step.name === left[at]?.name);
  if (isRest) return plan;
  const applied = new Set(history.entries.map(({ name }) => name));
  const remaining = rest.find(({ name }) => applied.has(name));
  if (remaining === undefined) return NOTHING;
  const undone = done.length === 0 ? 'nothing' : `${done.length} of ${planned.steps.length} migrations`;
  return {
    ...NOTHING,
    problem: new TenantctlError(
      'HISTORY_CHANGED',
      `Another run changed the history after this rollback was planned. It has undone ${undone} here.`,
      {
        migration: remaining.name,
        hint: 'Check tenantctl status, and run the command again to undo more.',
      },
    ),
  };
}
