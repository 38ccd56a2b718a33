import type { Lanes } from '../run/lanes.ts';
import type { MigrationFolder } from '../files/source.ts';
import type { Observer } from '../report/event.ts';
import type { Selection } from '../fleet/select-fleet.ts';
import type { RolloutOptions } from './options.ts';

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
