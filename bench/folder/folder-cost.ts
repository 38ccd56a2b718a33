/** `start-up` is a run with no tenants, which the times of the other works contain. */
export type FolderWork =
  | 'whole folder'
  | 'last migration'
  | 'new tenant'
  | 'next tenant'
  | 'nothing pending'
  | 'start-up';

export type FolderProgram = 'tenantctl' | 'tenantctl --no-compile' | 'Knex' | 'psql';

/** What one run cost. */
export interface FolderCost {
  readonly work: FolderWork;
  readonly program: FolderProgram;
  readonly tenants: number;
  readonly concurrency: number;
  readonly ms: number;
  /** CPU time of the client; absent for psql. */
  readonly cpuMs?: number | undefined;
  /** CPU time of the server's backends, where it is known. */
  readonly serverCpuMs?: number | undefined;
}

export interface FolderResult {
  readonly costs: readonly FolderCost[];
  /** Where tenantctl fails, or leaves something else than Knex. */
  readonly differences: readonly string[];
  readonly notes: readonly string[];
}
