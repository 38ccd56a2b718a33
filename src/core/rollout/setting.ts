import type { MigrationFolder } from '../files/source.ts';
import type { Selection } from '../fleet/select-fleet.ts';
import type { Observer } from '../report/event.ts';
import type { RolloutResult, Stage, StageResult } from '../report/rollout-result.ts';
import type { Lanes } from '../run/lanes.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Lesson } from '../strategy/lesson.ts';
import type { CutOptions } from './cut-rollout.ts';
import type { RolloutLimit } from './failure-limit.ts';
import type { RolloutOptions } from './options.ts';
import type { StandbyThrottle } from './throttle.ts';

/** What a rollout knows of its run. */
export interface RolloutSetting extends Selection {
  readonly rollout?: RolloutOptions | undefined;
  readonly folder: MigrationFolder;
  readonly lanes: Lanes;
  readonly command: string;
  /** Tenants that were up to date are checked, too. */
  readonly listUpToDate?: boolean | undefined;
  readonly observe: Observer;
}

/** The state of a rollout. */
export interface Rollout {
  /** The run's context, with a failure limit and a throttle if there are any. */
  readonly context: RunContext;
  /** The run's context without them: for undoing. */
  readonly plain: RunContext;
  readonly setting: RolloutSetting;
  readonly canaries: CutOptions['canary'];
  readonly failureLimit: RolloutLimit;
  readonly throttle: StandbyThrottle | undefined;
  /** What earlier stages have shown of each plan. */
  readonly lessons: Map<string, Lesson>;
  readonly begun: StageResult[];
  /** How many stages were planned; undefined before any was begun. */
  planned?: number;
  /** Tenants that were not checked, because the run was stopped. */
  unchecked: number;
  stoppedAt?: Stage | undefined;
  rolledBack?: RolloutResult['rolledBack'];
  /** Canaries that were named, and for which nothing can be done. */
  hopeless: number;
}
