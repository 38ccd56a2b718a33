import type { ScaleMeasurements } from './figures.ts';
import { totalOf, type Assumptions, type Model } from './model.ts';

/** Where one server breaks, or begins to hurt. */
export interface Limit {
  readonly what: string;
  readonly tenants: number;
}

/** ext4 without `large_dir` refuses files in a directory from some ten million on; it depends on their names. */
const DIRECTORY_FILES = 10e6;
/** ext4 has one inode for every 16 kB unless mkfs was told otherwise. */
const INODE_BYTES = 16_384;
const NAPTIME_S = 60;
const CHECKPOINT_S = 300;
/** autovacuum_freeze_max_age */
const FREEZE_AGE = 200e6;

export interface Hardware {
  readonly memoryGb: number;
  readonly diskTb: number;
}

/** From the first to break to the last one. */
export function limits(
  { totals, each }: Model,
  { machine }: ScaleMeasurements,
  { tables, connections, fsyncMs }: Assumptions,
  { memoryGb, diskTb }: Hardware,
): Limit[] {
  const until = (name: keyof typeof totals, most: number) => {
    const { once, tenant, table } = totals[name];
    return (most - once) / (tenant + table * tables);
  };
  const perTenant = (name: keyof typeof each) => totalOf(each[name], 1, tables);
  const memory = memoryGb * 1e9;
  const found: Limit[] = [
    {
      what: '`pg_dump` of the database, and `pg_upgrade`: more tables than locks fit (`max_locks_per_transaction` = 64)',
      tenants: machine.lockable / (tables + 2),
    },
    {
      what: `a quarter of ${memoryGb} GB: what ${connections} connections remember that use every tenant`,
      tenants: memory / 4 / (connections * perTenant('backendBytes')),
    },
    {
      what: `a quarter of ${memoryGb} GB, as shared_buffers: the catalogs`,
      tenants: until('catalogBytes', memory / 4),
    },
    {
      what: 'files in the directory of a database on ext4 without `large_dir`',
      tenants: until('files', DIRECTORY_FILES),
    },
    {
      what: `inodes of ${diskTb} TB of ext4`,
      tenants: until('files', (diskTb * 1e12) / INODE_BYTES),
    },
    {
      what: `${diskTb} TB: empty tables and catalogs alone`,
      tenants: (diskTb * 1e12) / (1e12 / until('emptyBytes', 1e12) + 1e12 / until('catalogBytes', 1e12)),
    },
    {
      what: 'a worker of autovacuum needs its whole minute to find nothing to do',
      tenants: until('autovacuum', NAPTIME_S * 1000),
    },
    {
      what: 'tenants provisioned between two checkpoints (5 min): their files take as long to flush',
      tenants: (CHECKPOINT_S * 1000) / (fsyncMs * (totals.files.tenant + totals.files.table * tables)),
    },
    {
      what: '10 migrations of the whole fleet use up the transaction ids until every table must be frozen',
      tenants: until('addXids', FREEZE_AGE / 10),
    },
    {
      what: 'freezing every table takes 3 workers a day',
      tenants: (3 * 86_400_000) / perTenant('freeze'),
    },
  ];
  return found.toSorted((a, b) => a.tenants - b.tenants);
}
