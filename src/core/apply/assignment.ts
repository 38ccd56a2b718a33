import type { PoolClient } from 'pg';
import type { Recording } from '../../db/knex/recording.ts';
import type { Around } from '../../db/knex/statement.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { History } from '../target/history.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Direction } from '../files/load.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Script } from '../state/scripts.ts';
import type { LongVerb } from '../state/unfinished-verb.ts';
import type { Failure } from '../serve/work.ts';
import type { Target } from '../target/target.ts';
import type { TenantctlError } from '../../errors.ts';
import type { Hooks } from './hooks.ts';
import type { TenantStatus } from '../../names.ts';

/**
 * SQL that is given to a command, or seeds: they run as migrations do, under the tenant's lock, the guard and the
 * timeouts, and leave the history alone.
 */
export interface DataChange {
  readonly outcome: 'written' | 'seeded';
  /** The statements that record what a transaction did, sent in that transaction. */
  readonly record: (target: Target, names: readonly string[]) => readonly string[];
  /**
   * SQL that is true if there is nothing left to do, evaluated under the lock; false if absent.
   * @param mayBeCommitted an earlier COMMIT of this run may have succeeded
   */
  readonly isDone?: (target: Target, mayBeCommitted: boolean) => string | undefined;
  /** SQL for the names of the steps that the target has by now, in a text array, evaluated under the lock. */
  readonly applied?: (target: Target) => string;
  /** It is repeated in each tenant, and no tenant waits for what the first one shows. */
  readonly isRepeated?: boolean | undefined;
}

/** What to do to a target. It is decided from the history, under the lock. */
export interface Assignment {
  readonly direction: Direction;
  /** Pure. @param done what is already done of it @param scripts those that the tenant has, if some are planned */
  decide(history: History, done: readonly string[], scripts: readonly Script[] | undefined): Plan;
  /** The batch of an earlier part of the same run: continued if it is still the last one. */
  readonly batch?: number | undefined;
  /** Only tenants with one of these statuses are processed; ignored for the master schema. */
  readonly statuses?: readonly TenantStatus[];
  /** Runs in the first transaction, before the history is read: creates the schema, for example. */
  readonly opening?: ((client: PoolClient) => Promise<void>) | undefined;
  readonly afterFirst?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Runs in each transaction, after its migrations and before it commits. */
  readonly beforeCommit?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Called in the first transaction, ahead of its migrations, and in the last one, behind them. */
  readonly hooks?: Hooks | undefined;
  /** Statements sent with the last row of the history, in its transaction; even if nothing was due. */
  readonly closing?: readonly string[];
  /** The verb that this is part of: its own intent is no reason to refuse the tenant. */
  readonly verb?: LongVerb | undefined;
  /** The schema tenantctl exists, so intents can be stored. */
  readonly hasState: boolean;
  /** Both history tables existed at planning time: read them in the round trip that takes the lock. */
  readonly hasTables?: boolean | undefined;
  /** What was planned: whether its first migration runs outside a transaction decides how the work begins. */
  readonly planned?: readonly Pick<Step, 'file'>[] | undefined;
  readonly record?: ((name: string) => Promise<Recording>) | undefined;
  /** Present if the steps are no migrations. */
  readonly dataChange?: DataChange | undefined;
  /** SQL that is true if a data change has nothing left to do. */
  readonly isDone?: string | undefined;
  /** SQL for the names of the steps that the target has by now: `done` for `decide`. */
  readonly applied?: string | undefined;
  /** Sends each statement; sent as is if absent. */
  readonly around?: Around | undefined;
}

/** What was done to a target, even if it failed later. */
export interface Applied {
  /** Names from the history, in the order in which they were applied or reverted. */
  readonly names: readonly string[];
  readonly batch: number;
  /** A transaction was committed, even if it only did the opening. */
  readonly isCommitted: boolean;
  /** This run created and committed the schema. */
  readonly isCreated?: boolean | undefined;
  /** What tenants that are sent the same may do in each transaction; none for the master schema. */
  readonly observed?: readonly ObservedEffects[];
  /** The transaction locked shared tables against others: other tenants are served one at a time. */
  readonly locksShared?: boolean | undefined;
}

export type Advanced =
  | { readonly kind: 'done'; readonly done: Applied }
  | { readonly kind: 'busy' }
  /** The assignment does not list the tenant's status; null if its row is gone. */
  | { readonly kind: 'status'; readonly status: string | null; readonly done: Applied }
  | (Failure<Applied> & { readonly done: Applied });

export interface TargetJob {
  readonly context: RunContext;
  readonly target: Target;
  readonly assignment: Assignment;
  readonly progress: Progress;
}

interface Progress extends Applied {
  readonly names: string[];
  batch: number;
  isCommitted: boolean;
  readonly observed: ObservedEffects[];
  locksShared?: boolean | undefined;
  started: boolean;
  /** The transaction of the first hook is committed. */
  hasHooked?: boolean | undefined;
  isOutside?: boolean | undefined;
  pid?: number | undefined;
  /** How many migrations were completed in the current transaction. */
  completed: number;
  /** One of them needs the COMMIT of an earlier one: each is committed by itself. */
  isOneByOne?: boolean | undefined;
  /** One of several migrations reached outside its schema; they run once more, so that the guard can tell which. */
  suspicion?: TenantctlError | undefined;
  /** The migration that is running or being committed. */
  atWork?: string | undefined;
}
