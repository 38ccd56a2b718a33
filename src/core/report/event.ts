import type { TenantNames } from '../../names.ts';
import { messageOf, type TenantctlError } from '../../errors.ts';
import type { TenantResult } from './results.ts';
import type { Stage, StageResult } from './rollout-result.ts';

/**
 * What a run reports while it works: shown as progress by the command line, or logged by an application. `run` is its
 * number in the ledger; absent before it has begun to change anything.
 */
export type RunEvent = EventFacts & { readonly run?: number | undefined };

type EventFacts =
  /** The run has been recorded, and begins to change something. */
  | { readonly type: 'started'; readonly command: string }
  | RunEnded
  | { readonly type: 'phase'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  /** For verbose output. */
  | { readonly type: 'note'; readonly message: string }
  /** The canaries or a wave start. */
  | ({ readonly type: 'wave' } & Stage)
  /** They have ended, checks included. */
  | ({ readonly type: 'wave-done' } & StageResult)
  /** An attempt failed with a transient error; another one follows. */
  | {
      readonly type: 'retry';
      /** Without an organization id for the master schema. */
      readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
      readonly error: TenantctlError;
      /** Failed attempts so far. */
      readonly tries: number;
    }
  /** A batch of a backfill was committed. */
  | {
      readonly type: 'batch';
      readonly tenant: { readonly clerkOrgId?: string | undefined; readonly schema: string };
      /** Changed by it. */
      readonly rows: number;
      /** Of the run so far. */
      readonly total: { readonly rows: number; readonly batches: number };
    }
  /** A part of a tenant's backup was written, or of a tenant copied to another node. */
  | {
      readonly type: 'written';
      readonly tenant: TenantNames;
      /** Of this tenant so far. */
      readonly bytes: number;
      /** Of the run so far. */
      readonly total: number;
    }
  | { readonly type: 'selected'; readonly total: number; readonly due: number }
  | { readonly type: 'tenant'; readonly result: TenantResult; readonly done: number; readonly due: number };

/** The last event of every run, also of one that had nothing to do, or could not begin. */
interface RunEnded {
  readonly type: 'ended';
  readonly command: string;
  readonly outcome: 'done' | 'failed' | 'interrupted';
  /** Tenants, or migrations of the master schema, by what became of them; empty if an error ended the run. */
  readonly totals: Readonly<Record<string, number | undefined>>;
  readonly durationMs: number;
  readonly error?: TenantctlError | undefined;
}

/**
 * Called with each event of a run, and not awaited. If it throws or rejects, the run continues: the observer
 * gets its first error as a `warning` event; later ones are dropped.
 */
export type Observer = (event: RunEvent) => void;

export const silent: Observer = () => {};

/** Adds the number of a run to its events, as soon as it has one. */
export function observeRun(observe: Observer, run: { readonly id: number | undefined }): Observer {
  return (event) => observe(run.id === undefined ? event : { ...event, run: run.id });
}

/** For a part of the work: `before` of the `due` tenants are done already. */
export function observePart(observe: Observer, before: number, due: number): Observer {
  return (event) => observe(event.type === 'tenant' ? { ...event, done: event.done + before, due } : event);
}

/** Isolates the run from the observer's errors. */
export function undisturbed(observe: Observer): Observer {
  let hasFailed = false;
  const failed = (error: unknown): void => {
    if (hasFailed) return;
    hasFailed = true;
    tell({ type: 'warning', message: `An observer of the run failed: ${messageOf(error)}` });
  };
  const tell = (event: RunEvent): void => {
    try {
      const returned: unknown = observe(event);
      if (returned !== undefined) Promise.resolve(returned).catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  return tell;
}
