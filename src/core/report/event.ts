import { messageOf } from '../../errors.ts';
import type { TenantResult } from './results.ts';
import type { Stage } from './rollout-result.ts';

/** What a run reports while it works. The command line shows it as progress; an application may log it. */
export type RunEvent =
  | { readonly type: 'phase'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  /** A detail for those who look closely. */
  | { readonly type: 'note'; readonly message: string }
  /** The canaries or a wave begin; only where the run goes in steps. */
  | ({ readonly type: 'wave' } & Stage)
  | { readonly type: 'selected'; readonly total: number; readonly due: number }
  | { readonly type: 'tenant'; readonly result: TenantResult; readonly done: number; readonly due: number };

/**
 * Is called with each event of a run, and not waited for. If it throws or rejects, the run goes on: the observer gets
 * its first error as a `warning` event, and later ones are dropped.
 */
export type Observer = (event: RunEvent) => void;

export const silent: Observer = () => {};

/** The observer, whose errors do not reach the run. */
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
