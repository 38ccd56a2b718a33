import type { Usage } from '../child.ts';
import type { HistoryForm } from '../fleet/histories.ts';
import type { Project } from '../fleet/projects.ts';

export type RivalName =
  | 'tenantctl'
  | 'knex'
  | 'node-pg-migrate'
  | 'dbmate'
  | 'psql'
  | 'psql-same'
  | 'psql-no-ledger'
  | 'psql-no-guard';

/** A fleet and the project whose migrations to apply. */
export interface Assignment {
  readonly url: string;
  readonly project: Project;
  readonly tenants: number;
  /** How many to migrate: the first ones in the registry. */
  readonly first: number;
  readonly concurrency: number;
}

export interface Effort extends Partial<Usage> {
  /** Milliseconds, including process start-up. */
  readonly ms: number;
  /** CPU time of the server's backends, in milliseconds, if it was measured. */
  readonly serverCpuMs?: number | undefined;
}

/** A competing tool that migrates a fleet's schemas, reading each tenant's history first. */
export interface Peer {
  readonly name: RivalName;
  readonly history: HistoryForm;
  run(assignment: Assignment): Promise<Effort>;
}
