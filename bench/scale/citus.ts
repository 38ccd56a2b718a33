import { totalOf, type Assumptions, type Model } from './model.ts';

/**
 * Milliseconds from start to end, where coordinator and two workers share two cores: CREATE SCHEMA, each table, and a
 * small migration. Measured with 20 tenants, Citus 13.2.2 on PostgreSQL 15, 2026-11-22 and 2026-11-30; the first two
 * while the machine was busy (an idle one: 139 in all for three tables).
 */
const MS = { schema: 45, table: 30, add: 80 } as const;

/** Each node of a cluster with schema-based sharding. */
export interface CitusPrediction {
  /** What every node has: the shell tables of all tenants, and Citus's own rows are not counted. */
  readonly coordinatorRelations: number;
  readonly coordinatorBytes: number;
  /** A worker has, besides, the shards of its own tenants. */
  readonly workerRelations: number;
  readonly workerBytes: number;
  readonly workerFiles: number;
  /** At best, in seconds: the lanes do not hinder one another. */
  readonly provision: number;
  readonly add: number;
}

/**
 * Every node of a cluster knows every table ("shell table"), so catalogs do not become smaller with more workers:
 * https://github.com/citusdata/citus/blob/main/src/backend/distributed/README.md
 */
export function predictCitus({ totals }: Model, assumed: Assumptions): CitusPrediction {
  const { tenants, tables, nodes, concurrency } = assumed;
  const onWorker = (name: 'relations' | 'catalogBytes' | 'files') =>
    totalOf(totals[name], tenants + tenants / nodes, tables);
  const seconds = (ms: number) => (tenants * ms) / concurrency / 1000;
  return {
    coordinatorRelations: totalOf(totals.relations, tenants, tables),
    coordinatorBytes: totalOf(totals.catalogBytes, tenants, tables),
    workerRelations: onWorker('relations'),
    workerBytes: onWorker('catalogBytes'),
    workerFiles: onWorker('files'),
    provision: seconds(MS.schema + MS.table * tables),
    add: seconds(MS.add),
  };
}
