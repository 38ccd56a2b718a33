/**
 * Sums over a fleet of n tenants with t tables each: a + n (b + c t). The commands run over the whole fleet.
 * CPU times are those of the client's process and of the server's backends; `rss` is the client's peak.
 */
export const TOTALS = {
  relations: { title: 'rows of pg_class', unit: '' },
  attributes: { title: 'rows of pg_attribute', unit: '' },
  depends: { title: 'rows of pg_depend', unit: '' },
  constraints: { title: 'rows of pg_constraint', unit: '' },
  indexes: { title: 'rows of pg_index', unit: '' },
  types: { title: 'rows of pg_type', unit: '' },
  catalogBytes: { title: 'catalogs with their indexes', unit: 'kB' },
  emptyBytes: { title: 'empty tables, indexes and sequences', unit: 'kB' },
  stateBytes: { title: 'schema tenantctl', unit: 'kB' },
  files: { title: 'files', unit: '' },
  noOpClient: { title: 'no-op: client', unit: 'ms' },
  noOpServer: { title: 'no-op: server', unit: 'ms' },
  noOpRss: { title: 'no-op: memory of the client', unit: 'kB' },
  statusClient: { title: 'status: client', unit: 'ms' },
  statusServer: { title: 'status: server', unit: 'ms' },
  addClient: { title: 'ALTER: client', unit: 'ms' },
  addServer: { title: 'ALTER: server', unit: 'ms' },
  addWal: { title: 'ALTER: WAL', unit: 'kB' },
  addState: { title: 'ALTER: growth of schema tenantctl', unit: 'kB' },
  addXids: { title: 'ALTER: transaction ids', unit: '' },
  driftClient: { title: 'drift: client', unit: 'ms' },
  driftServer: { title: 'drift: server', unit: 'ms' },
  autovacuum: { title: 'autovacuum finds nothing to do', unit: 'ms' },
} as const;
export type TotalName = keyof typeof TOTALS;

/** For one more tenant with t tables, measured with a few tenants of a fleet: b + c t. */
export const EACH = {
  provisionClient: { title: 'provisioning: client', unit: 'ms' },
  provisionServer: { title: 'provisioning: server', unit: 'ms' },
  provisionWal: { title: 'provisioning: WAL', unit: 'kB' },
  provisionTrips: { title: 'provisioning: round trips', unit: '' },
  provisionLocks: { title: 'provisioning: locks of its transaction', unit: '' },
  backupClient: { title: 'backup, no rows: client', unit: 'ms' },
  backupServer: { title: 'backup, no rows: server', unit: 'ms' },
  backupTrips: { title: 'backup: round trips', unit: '' },
  backendBytes: { title: 'memory of a backend that has used it', unit: 'kB' },
  freeze: { title: 'VACUUM (FREEZE)', unit: 'ms' },
} as const;
export type EachName = keyof typeof EACH;

/** Bytes are measured, kilobytes and milliseconds are shown. */
export interface ScaleFleet {
  readonly tenants: number;
  readonly tables: number;
  readonly totals: Readonly<Record<TotalName, number>>;
  readonly each: Readonly<Record<EachName, number>>;
  /** Elapsed seconds of the commands over the whole fleet. */
  readonly seconds: Readonly<Record<'noOp' | 'status' | 'add' | 'drift', number>>;
}

/** What does not depend on the fleet. */
export interface MachineFigures {
  /** Until a small transaction is on disk, beyond a round trip. */
  readonly flushMs: number;
  /** A checkpoint's time for each new file. */
  readonly fileFlushMs: number;
  /** Locks that one transaction can take at the server's default settings, all others being idle. */
  readonly lockable: number;
  /** Round trips of one ALTER for a tenant, start-up included. */
  readonly addTrips: number;
  /** CPU time for each MB of rows. */
  readonly backupClientMsPerMb: number;
  readonly backupServerMsPerMb: number;
}

export interface ScaleMeasurements {
  readonly date: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly node: string;
  readonly server: string;
  readonly machine: MachineFigures;
  readonly fleets: readonly ScaleFleet[];
}
