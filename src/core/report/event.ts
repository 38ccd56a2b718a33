import type { TenantResult } from './results.ts';
import type { Stage } from './rollout-result.ts';

/** What a run tells while it works. The command line shows it as progress; a library's user may log it. */
export type RunEvent =
  | { readonly type: 'phase'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
  /** Something that people want to know who look closely. */
  | { readonly type: 'note'; readonly message: string }
  /** Canaries or a wave are begun; only where a run has been told to go in steps. */
  | ({ readonly type: 'wave' } & Stage)
  | { readonly type: 'selected'; readonly total: number; readonly due: number }
  | { readonly type: 'tenant'; readonly result: TenantResult; readonly done: number; readonly due: number };

export type Observer = (event: RunEvent) => void;

export const silent: Observer = () => {};
