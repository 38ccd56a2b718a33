import type { Bench } from '../bench.ts';
import type { FleetDatabase } from '../fleet/fleets.ts';
import { watchBackends } from '../server/backend-memory.ts';
import { countTraffic } from '../wire/wire.ts';

/** What tenantctl's no-op weighs, beside the time. */
export interface NoOpWeight {
  readonly queries: number;
  /** Growth of the largest backend, bytes; undefined where that cannot be seen. */
  readonly backendBytes: number | undefined;
}

/** Two runs that are not timed: one through a wire that counts, one while the server's backends are watched. */
export async function weighNoOp(
  bench: Bench,
  { url }: FleetDatabase,
  noOp: (url: string) => Promise<unknown>,
): Promise<NoOpWeight> {
  const { queries } = await countTraffic(url, noOp);
  return { queries, backendBytes: await watchBackends(bench.server, url, () => noOp(url)) };
}
