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

/** A fleet and how it is to be brought to where a project's migrations are. */
export interface Assignment {
  readonly url: string;
  readonly project: Project;
  /** Tenants in the registry. */
  readonly tenants: number;
  /** How many of them are to be served, the first ones of the registry. */
  readonly first: number;
  readonly concurrency: number;
}

/** What one rival needed once. */
export interface Effort extends Partial<Usage> {
  /** Milliseconds, the start-up of its processes included. */
  readonly ms: number;
}

/** A peer of tenantctl's that migrates the schemas of a fleet, reading each tenant's history first. */
export interface Peer {
  readonly name: RivalName;
  readonly history: HistoryForm;
  run(assignment: Assignment): Promise<Effort>;
}
