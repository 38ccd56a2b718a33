import type { Fleets } from './fleet/fleets.ts';
import type { Projects } from './fleet/projects.ts';
import type { BenchServer } from './server/server.ts';
import type { Settings } from './settings.ts';

export interface Bench {
  readonly settings: Settings;
  readonly server: BenchServer;
  readonly projects: Projects;
  readonly fleets: Fleets;
  readonly hasPsql: boolean;
  readonly say: (line: string) => void;
}

/** Rotates the order in each round: a rival's after-effects must not always hit the same one. */
export function rotated<T>(items: readonly T[], by: number): T[] {
  const at = by % items.length;
  return [...items.slice(at), ...items.slice(0, at)];
}
