import type { Fleets } from './fleet/fleets.ts';
import type { Projects } from './fleet/projects.ts';
import type { BenchServer } from './server/server.ts';
import type { Settings } from './settings.ts';

/** What a part of the benchmark is given. */
export interface Bench {
  readonly settings: Settings;
  readonly server: BenchServer;
  readonly projects: Projects;
  readonly fleets: Fleets;
  /** Whether there is a psql on the PATH. */
  readonly hasPsql: boolean;
  /** Says what has been done, to whoever waits. */
  readonly say: (line: string) => void;
}

/** Another one first in each round: what a rival leaves behind must not always meet the same one. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
