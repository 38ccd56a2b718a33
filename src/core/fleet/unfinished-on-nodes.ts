import { UNFINISHED_ON_NODES } from '../../db/citus.ts';
import type { Database } from '../../db/database.ts';

/** A node that has not finished transactions which are committed: it, or the coordinator, died within the COMMIT. */
export interface UnfinishedOnNode {
  /** host:port */
  readonly node: string;
  readonly transactions: number;
  /** The longest that the coordinator waits before it finishes them, in seconds; null if it does not. */
  readonly withinSeconds: number | null;
}

/** The nodes that show tenants as before a transaction that is committed. Empty where there are no nodes. */
export async function readUnfinishedOnNodes(
  database: Pick<Database, 'hasNodes' | 'query'>,
): Promise<UnfinishedOnNode[]> {
  if (!database.hasNodes) return [];
  return (await database.query<UnfinishedOnNode & object>(UNFINISHED_ON_NODES)).rows;
}
