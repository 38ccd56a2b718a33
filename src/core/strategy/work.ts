import type { Recording } from '../../db/knex/recording.ts';
import type { ObservedEffects } from '../guard/judge.ts';
import type { Lanes } from '../run/lanes.ts';
import type { Advance } from '../apply/assignment.ts';
import type { CompiledPlan, Recordings } from './compiled.ts';
import type { Observer } from '../report/event.ts';
import type { PeerView } from './peers.ts';
import type { TenantResult } from '../report/results.ts';
import type { Direction } from '../files/load.ts';
import type { Due } from '../fleet/plan-fleet.ts';
import type { TenantStatus } from '../../names.ts';

export interface ServeOptions {
  /** The first tenant of its plan: what its transaction did is looked at before it commits. */
  readonly isPilot: boolean;
  /** Takes down what each migration sends. */
  readonly record?: ((name: string) => Recording) | undefined;
}

export interface Served extends Advance {
  /** The tenant's transaction locked shared tables against others: the rest of the plan goes one at a time. */
  readonly locksShared: boolean;
}

/** What a run does to its tenants. */
export interface FleetWork {
  readonly command: string;
  readonly direction: Direction;
  /** Only tenants with one of these statuses are worked on. */
  readonly statuses: readonly TenantStatus[];
  /** Goes through a plan with one tenant, statement by statement. */
  readonly serve: (due: Due, options: ServeOptions) => Promise<Served>;
  /** Statements between the tenant's lock and its history: create the schema, say. */
  readonly opening?: ((due: Due) => readonly string[]) | undefined;
  /** Statements that go with the last row of the history. */
  readonly closing: (due: Due) => readonly string[];
  /** Whether another run has done what a tenant was due. */
  readonly isDone: (due: Due, now: PeerView) => boolean;
  /** Told once, when another run is met that is at work on the same tenants. */
  readonly onMet?: (() => void) | undefined;
  readonly lanes: Lanes;
  /** What two tenants were sent may be sent to the others, where that is surely the same. */
  readonly compile: boolean;
  /** Where what was learned of a plan is kept, by its key, for the other tenants of a run that serves them in waves. */
  readonly lessons?: Map<string, Lesson> | undefined;
  readonly observe: Observer;
}

/** What the first tenants of a plan have shown of it. */
export interface Lesson {
  /** How many have been gone through for it. */
  pilots: number;
  /** What they were sent. */
  readonly seen: Recordings[];
  /** What others may do that are sent the same. */
  readonly observedEffects: ObservedEffects[];
  /** What the next are sent may be something else. */
  isDependent: boolean;
  /** It locks shared tables: one tenant at a time. */
  locksShared: boolean;
  compiled?: CompiledPlan | 'never' | undefined;
}

/** How a run ended for a tenant that was due. */
export function toResult(due: Due, served: Advance, durationMs: number, direction: Direction): TenantResult {
  const base = {
    clerkOrgId: due.tenant.clerkOrgId,
    schema: due.tenant.schema,
    names: served.done,
    batch: served.done.length === 0 ? 0 : served.batch,
    durationMs,
  };
  switch (served.outcome) {
    case 'failed':
      return { ...base, outcome: 'failed', error: served.error };
    case 'status':
      return {
        ...base,
        outcome: 'skipped',
        reason: `its status is ${served.status ?? 'gone from the registry'} now`,
      };
    default: {
      const changed = direction === 'up' ? 'migrated' : 'rolled-back';
      return { ...base, outcome: served.done.length === 0 ? 'up-to-date' : changed };
    }
  }
}
