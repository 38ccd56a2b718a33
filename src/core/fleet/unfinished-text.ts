import type { UnfinishedOnNode } from './unfinished-on-nodes.ts';

/** "worker-2:5432 has yet to finish 2 transactions that are committed; ..." */
export function unfinishedText({ node, transactions, withinSeconds }: UnfinishedOnNode): string {
  const what = transactions === 1 ? 'a transaction that is' : `${transactions} transactions that are`;
  const when = withinSeconds === null ? 'not by itself' : `within ${withinSeconds} s`;
  return `${node} has yet to finish ${what} committed: its tenants look as before, and are locked. Citus does it ${when}.`;
}
