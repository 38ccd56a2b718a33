import type { PoolClient } from 'pg';
import type { Recording } from '../../db/knex/recording.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { History } from '../target/history.ts';
import type { Plan } from '../plan/plan.ts';
import type { Direction } from '../files/load.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Failure } from '../serve/work.ts';
import type { Target } from '../target/target.ts';
import type { TenantStatus } from '../../names.ts';

/** What is to be done to a target. It is decided from the history, under the lock. */
export interface Assignment {
  readonly direction: Direction;
  /** Pure: what to do to a schema with this history, of which this much is done already. */
  decide(history: History, done: readonly string[]): Plan;
  /** The batch that an earlier part of the same run has begun: it is continued where it still is the last one. */
  readonly batch?: number | undefined;
  /** Only a tenant whose registry row has one of these statuses is worked on; not asked for the master schema. */
  readonly statuses?: readonly TenantStatus[];
  /** Runs in the first transaction, before the history is read. It creates the schema, say. */
  readonly opening?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Run in the transaction of the first migration, after it. */
  readonly afterFirst?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Run in each transaction before it commits, after its migrations. */
  readonly beforeCommit?: ((client: PoolClient) => Promise<void>) | undefined;
  /** Statements that go with the last row of the history, in its transaction; sent even when nothing was due. */
  readonly closing?: readonly string[];
  /** The tenantctl schema is there, so that intents can be kept. */
  readonly hasState: boolean;
  /** Both history tables were there when the run was planned: they are read in the round trip that takes the lock. */
  readonly hasTables?: boolean | undefined;
  /** Records what each migration sends, to send it to other tenants too. */
  readonly record?: ((name: string) => Recording) | undefined;
}

/** What was done to a target, also if it failed later on. */
export interface Applied {
  /** Names as the history holds them, in the order in which they were applied or reverted. */
  readonly names: readonly string[];
  /** The batch in the history; 0 if nothing was done. */
  readonly batch: number;
  /** A transaction was committed, if only with the opening. */
  readonly isCommitted: boolean;
  /** What others may do whose migrations send the same; absent if nothing was done, and for the master schema. */
  readonly observed?: ObservedEffects | undefined;
  /** The transaction locked shared tables against others: other tenants are served one at a time. */
  readonly locksShared?: boolean | undefined;
}

export type Advanced =
  | { readonly kind: 'done'; readonly done: Applied }
  /** Another run holds the target. */
  | { readonly kind: 'busy' }
  /** The tenant has a status that the assignment does not name; null if its row is gone. */
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
  observed?: ObservedEffects | undefined;
  started: boolean;
  /** A migration runs outside a transaction: it cannot be rolled back. */
  isOutside?: boolean | undefined;
  /** The process id of the backend whose transaction is open. */
  pid?: number | undefined;
  /** The migration that runs, or whose end is being committed. */
  atWork?: string | undefined;
}
