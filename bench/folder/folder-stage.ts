import { benchTenants } from '../fleet/tenants.ts';
import type { BenchServer } from '../server/server.ts';
import type { FolderCheck } from './check-folder.ts';
import type { FolderCost } from './folder-cost.ts';
import type { FolderFleets } from './folder-fleets.ts';
import type { FolderSizes } from './folder-sizes.ts';
import type { FolderPrograms } from './folder-programs.ts';

export interface FolderBench {
  readonly server: BenchServer;
  readonly sizes: FolderSizes;
  readonly hasPsql: boolean;
  readonly say: (line: string) => void;
}

/** What the works share while a folder is measured. */
export interface Stage extends FolderBench {
  readonly programs: FolderPrograms;
  readonly fleets: FolderFleets;
  readonly check: FolderCheck;
  readonly costs: FolderCost[];
  readonly differences: string[];
  readonly notes: string[];
}

export function schemasOf(tenants: number): string[] {
  return benchTenants(tenants).map(({ schema }) => schema);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
