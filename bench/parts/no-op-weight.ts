import type { Bench } from '../bench.ts';
import type { FleetDatabase } from '../fleet/fleets.ts';
import { watchBackends } from '../server/backend-memory.ts';
import { countTraffic } from '../wire/wire.ts';

/** The cost of tenantctl's no-op, other than time. */
export interface NoOpWeight {
  readonly queries: number;
  readonly statusQueries: number;
  /** Growth of the largest backend in bytes; undefined if unavailable. */
  readonly backendBytes: number | undefined;
}

/** Untimed runs that count traffic and monitor the server's backends. */
export async function weighNoOp(
  bench: Bench,
  { url }: FleetDatabase,
  noOp: (url: string) => Promise<unknown>,
  status: (url: string) => Promise<unknown>,
): Promise<NoOpWeight> {
  const backendBytes = await watchBackends(bench.server, url, () => noOp(url));
  const { queries } = await countTraffic(url, noOp);
  const { queries: statusQueries } = await countTraffic(url, status);
  return { queries, statusQueries, backendBytes };
}
