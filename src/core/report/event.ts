import { messageOf } from '../../errors.ts';
import type { TenantResult } from './results.ts';
import type { Stage, StageResult } from './rollout-result.ts';

/** What a run reports while it works: shown as progress by the command line, or logged by an application. */
export type RunEvent =
  | { readonly type: 'phase'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  /** For verbose output. */
  | { readonly type: 'note'; readonly message: string }
  /** The canaries or a wave start. */
  | ({ readonly type: 'wave' } & Stage)
  /** They have ended, checks included. */
  | ({ readonly type: 'wave-done' } & StageResult)
  | { readonly type: 'selected'; readonly total: number; readonly due: number }
  | { readonly type: 'tenant'; readonly result: TenantResult; readonly done: number; readonly due: number };

/**
 * Called with each event of a run, and not awaited. If it throws or rejects, the run continues: the observer
 * gets its first error as a `warning` event; later ones are dropped.
 */
export type Observer = (event: RunEvent) => void;

export const silent: Observer = () => {};

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
