import type { Bench } from '../bench.ts';
import type { FleetDatabase } from '../fleet/fleets.ts';
import { watchBackends } from '../server/backend-memory.ts';
import { countTraffic } from '../wire/wire.ts';

/** What tenantctl's no-op weighs, beside the time. */
export interface NoOpWeight {
  readonly queries: number;
  /** Those of `status --json`. */
  readonly statusQueries: number;
  /** Growth of the largest backend, bytes; undefined where that cannot be seen. */
  readonly backendBytes: number | undefined;
}

/** Runs that are not timed: through a wire that counts, and while the server's backends are watched. */
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
