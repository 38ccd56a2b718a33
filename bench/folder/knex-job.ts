import type { FolderProject } from './folder-project.ts';

/** What bench/rivals/knex-folder-per-tenant.ts is told, as JSON. */
export interface KnexJob extends Pick<FolderProject, 'folder' | 'files'> {
  readonly url: string;
  /** Path of the Knex to load. */
  readonly knex: string;
  readonly concurrency: number;
  readonly schemas: readonly string[];
  /** How many migrations to apply; all if absent. */
  readonly upTo?: number | undefined;
}

/** One tenant's cost in a running process. */
export interface Call {
  readonly ms: number;
  readonly cpuMs: number;
}
