import type { TenantctlError } from '../../errors.ts';
import type { FailedWork } from '../ledger/failures.ts';
import type { Observer } from '../report/event.ts';
import type { Lanes } from '../run/lanes.ts';

/** The work for one tenant or, without an organization id, for the master schema. */
export interface Task {
  readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
}

/** How one attempt ended. `Done` is what the work reports about a task, even if it failed halfway. */
export type Attempt<Done> =
  | { readonly kind: 'done'; readonly done: Done }
  /** Another run holds the tenant: retry later. `of`: the organization whose lock it is, if not the task's. */
  | { readonly kind: 'busy'; readonly of?: string | undefined }
  | { readonly kind: 'by-peer' }
  | Skipped<Done>
  | Failure<Done>;

/** The run was stopped, or the task no longer applies: the tenant's status has changed, for example. */
export interface Skipped<Done> {
  readonly kind: 'skipped';
  readonly reason: string;
  /** What a caller is told who asked for this task by name. */
  readonly error?: TenantctlError | undefined;
  readonly done?: Done | undefined;
}

export interface Failure<Done> {
  readonly kind: 'failed';
  readonly error: TenantctlError;
  /** What this and earlier attempts did before the failure. */
  readonly done?: Done | undefined;
  /** Another attempt is safe. src/core/run/retry.ts decides whether the error is worth one. */
  readonly mayRepeat: boolean;
  /** The backend used: on a lock timeout, the error names who blocked it. */
  readonly pid?: number | undefined;
}

export interface Earlier<Done> {
  /** Failed attempts. */
  readonly tries: number;
  readonly failure?: Failure<Done> | undefined;
  /** The connection was lost during a COMMIT that may have succeeded. */
  readonly mayBeCommitted: boolean;
}

export type Outcome<T extends Task, Done> = { readonly task: T; readonly durationMs: number } & (
  | { readonly kind: 'done'; readonly done: Done }
  | { readonly kind: 'by-peer' }
  | Skipped<Done>
  | { readonly kind: 'failed'; readonly error: TenantctlError; readonly done?: Done | undefined }
);

export interface Sighting<T extends Task> {
  readonly done: readonly T[];
  readonly locked: readonly T[];
  readonly free: readonly T[];
}

/** What a run does to its tasks. */
export interface Work<T extends Task, Done> {
  readonly lanes: Lanes;
  readonly observe: Observer;
  /** Performs a task once, in a lane. Must not throw for one tenant's error: a throw ends the whole run. */
  readonly attempt: (task: T, earlier: Earlier<Done>) => Promise<Attempt<Done>>;
  /** Called as each started task ends. `ended` of `total` tasks have ended. */
  readonly onEnd?: ((outcome: Outcome<T, Done>, ended: number, total: number) => void) | undefined;
  /** Records failures in the ledger, and as each tenant's last failure, unless they are standing. */
  readonly ledger?: FailedWork | undefined;
  /** Tasks for which this is true run one at a time. */
  readonly isAlone?: ((task: T) => boolean) | undefined;
  /** Queries what other runs have done to tasks. If absent, other runs are noticed only as `busy`. */
  readonly look?: ((tasks: readonly T[]) => Promise<Sighting<T>>) | undefined;
}
