import type { TenantctlError } from '../../errors.ts';
import type { Observer } from '../report/event.ts';
import type { Lanes } from '../run/lanes.ts';

/** One unit of work: what is to be done to one tenant, or, without an organization id, to the master schema. */
export interface Task {
  readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
}

/** How one attempt at a task ended. `Done` is what the work reports about a task, also about one that failed halfway. */
export type Attempt<Done> =
  | { readonly kind: 'done'; readonly done: Done }
  /** Another run holds the tenant: the task is attempted again later. */
  | { readonly kind: 'busy' }
  /** Another run has already done the task. */
  | { readonly kind: 'by-peer' }
  /** The task no longer applies: the tenant's status has changed, say. */
  | { readonly kind: 'skipped'; readonly reason: string; readonly done?: Done | undefined }
  | Failure<Done>;

export interface Failure<Done> {
  readonly kind: 'failed';
  readonly error: TenantctlError;
  /** What was done before it failed, by this attempt and by earlier ones. */
  readonly done?: Done | undefined;
  /** Another attempt is safe. Whether the error is worth one is decided by src/core/run/retry.ts. */
  readonly mayRepeat: boolean;
  /** The server process that was used: if it waited for a lock, the error names who held that. */
  readonly pid?: number | undefined;
}

/** What is known of a task from earlier attempts. */
export interface Earlier<Done> {
  /** How many attempts have failed. */
  readonly tries: number;
  /** The last of them. */
  readonly failure?: Failure<Done> | undefined;
  /** The connection was lost during a COMMIT, which may have taken place. */
  readonly mayBeCommitted: boolean;
}

/** How a task ended. */
export type Outcome<T extends Task, Done> = { readonly task: T; readonly durationMs: number } & (
  | { readonly kind: 'done'; readonly done: Done }
  | { readonly kind: 'by-peer' }
  | { readonly kind: 'skipped'; readonly reason: string; readonly done?: Done | undefined }
  | { readonly kind: 'failed'; readonly error: TenantctlError; readonly done?: Done | undefined }
);

/** What other runs have made of some tasks. */
export interface Sighting<T extends Task> {
  /** Nothing is left to do. */
  readonly done: readonly T[];
  /** Another run is working on the tenant. */
  readonly locked: readonly T[];
  readonly free: readonly T[];
}

/** What a run does to its tasks. Only `lanes`, `observe` and `attempt` are required. */
export interface Work<T extends Task, Done> {
  readonly lanes: Lanes;
  readonly observe: Observer;
  /** Performs a task once, in a lane. Must not throw for what concerns only this tenant: a throw ends the whole run. */
  readonly attempt: (task: T, earlier: Earlier<Done>) => Promise<Attempt<Done>>;
  /** Called as each task ends, but not for tasks that were never begun. `ended` of `total` tasks have ended. */
  readonly onEnd?: ((outcome: Outcome<T, Done>, ended: number, total: number) => void) | undefined;
  /** Records failures in the ledger, and as each tenant's last failure, under this command. */
  readonly ledger?: { readonly command: string; readonly direction: 'up' | 'down' } | undefined;
  /** True if this task must not run beside others for which this is true. */
  readonly isAlone?: ((task: T) => boolean) | undefined;
  /** Looks what other runs have made of tasks, in one query. If absent, other runs are met only as `busy`. */
  readonly look?: ((tasks: readonly T[]) => Promise<Sighting<T>>) | undefined;
}
