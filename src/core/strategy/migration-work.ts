import type { Attempt, Earlier, Outcome } from '../serve/work.ts';
import type { Applied, DataChange } from '../apply/assignment.ts';
import type { MigrationTask } from '../fleet/plan-fleet.ts';
import type { TenantsRollback } from '../fleet/plan-rollback.ts';
import type { Direction } from '../files/load.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { History } from '../target/history.ts';
import type { Lanes } from '../run/lanes.ts';
import type { Lesson } from './pilots.ts';
import type { Observer } from '../report/event.ts';
import type { PeerView } from './peers.ts';
import { isScript, planBackward, planForward, type ForwardOptions, type Plan } from '../plan/plan.ts';
import { outdatedFiles, withOutdated } from '../plan/repeatable.ts';
import { stillPlanned } from '../plan/rollback-extent.ts';
import type { Recording } from '../../db/knex/recording.ts';
import type { Around } from '../../db/knex/statement.ts';
import type { TenantStatus } from '../../names.ts';
import type { Script } from '../state/scripts.ts';
import type { TenantResult } from '../report/results.ts';

export interface ApplyOptions {
  /** Records what each migration sends. */
  readonly record?: ((name: string) => Promise<Recording>) | undefined;
  /** Sends each statement; sent as is if absent. */
  readonly around?: Around | undefined;
}

export interface MigrationWork {
  readonly command: string;
  readonly direction: Direction;
  /** Only tenants with one of these statuses are migrated. */
  readonly statuses: readonly TenantStatus[];
  /** Pure. @param done what this attempt has already done @param scripts those that the tenant has */
  readonly decide: (
    task: MigrationTask,
    history: History,
    done: readonly string[],
    scripts: readonly Script[] | undefined,
  ) => Plan;
  /** Statements between lock and history when sent as one string: create the schema, for example. */
  readonly opening?: ((task: MigrationTask) => readonly string[]) | undefined;
  /** The hooks that are called for each tenant; none if absent. */
  readonly hooks?: 'Provision' | 'Migrate' | undefined;
  /** Statements that go with the last row of the history. */
  readonly closing: (task: MigrationTask) => readonly string[];
  /** Applies a plan statement by statement; `applyTask` if absent. */
  readonly apply?:
    | ((task: MigrationTask, options: ApplyOptions, earlier: Earlier<Applied>) => Promise<Attempt<Applied>>)
    | undefined;
  /** Whether another run has done a task; `isAsPlanned` if absent. */
  readonly isDone?: ((task: MigrationTask, now: PeerView) => boolean) | undefined;
  /** Present if the tasks are no migrations. */
  readonly dataChange?: DataChange | undefined;
  /** The tenants were asked for by name: one that is not ACTIVE any more is an error. */
  readonly isNamed?: boolean | undefined;
  /** Gets each outcome in place of the `tenant` event to `observe`. */
  readonly onEnd?: ((outcome: MigrationOutcome) => void) | undefined;
  readonly lanes: Lanes;
  /** Unless false, tenants are sent their plan as one string if the pilots show that this is safe. */
  readonly compile: boolean | undefined;
  /** Keeps each plan's lesson between the waves of a rollout. */
  readonly lessons?: Map<string, Lesson> | undefined;
  readonly observe: Observer;
}

/**
 * What is left of a task on the way forward, under the tenant's lock. A part ends with its last step, even if the
 * tenant's history has changed in the meantime. Pure.
 * @param applied the scripts that the tenant has
 */
export function stillDue(
  folder: MigrationFolder,
  { plan, part }: MigrationTask,
  history: History,
  applied: readonly Script[] | undefined,
  forward: ForwardOptions = {},
): Plan {
  const last = plan.steps.at(-1);
  const hasScripts = last !== undefined && isScript(last);
  const to = part === undefined ? forward.to : plan.steps.findLast((step) => !isScript(step))?.file;
  const { scripts } = hasScripts ? folder : {};
  const due = planForward({ ...folder, scripts }, history, { ...forward, to });
  return withOutdated(due, outdatedFiles({ scripts }, applied));
}

/** The work of a rollback as planned. */
export function backwardWork(
  { folder, extentOf }: Pick<TenantsRollback, 'folder' | 'extentOf'>,
  more: Pick<MigrationWork, 'command' | 'isNamed' | 'closing' | 'lanes' | 'compile' | 'observe'>,
): MigrationWork {
  return {
    ...more,
    direction: 'down',
    statuses: ['ACTIVE'],
    decide: ({ tenant, plan }, history, undone) =>
      stillPlanned(planBackward(folder, history, extentOf(tenant)), plan, undone, history),
  };
}

export interface Migrated {
  readonly results: readonly TenantResult[];
  readonly isShared: boolean;
}

export type MigrationOutcome = Outcome<MigrationTask, Applied>;

/** Pure. */
export function toResult(
  outcome: MigrationOutcome,
  { direction, dataChange }: Pick<MigrationWork, 'direction' | 'dataChange'>,
): TenantResult {
  const { kind, task, durationMs } = outcome;
  const { clerkOrgId, schema } = task.tenant;
  const { names = [], batch = 0 } = (kind === 'by-peer' ? undefined : outcome.done) ?? {};
  const base = { clerkOrgId, schema, names, batch: names.length === 0 ? 0 : batch, durationMs };
  switch (kind) {
    case 'failed':
      return { ...base, outcome: 'failed', error: outcome.error };
    case 'skipped':
      return { ...base, outcome: 'skipped', reason: outcome.reason, error: outcome.error };
    default: {
      const changed = dataChange?.outcome ?? (direction === 'up' ? 'migrated' : 'rolled-back');
      return { ...base, outcome: names.length === 0 ? 'up-to-date' : changed };
    }
  }
}
