import type { Bench } from './bench.ts';
import { checkFleet, type FleetState } from './fleet/census.ts';
import type { FleetDatabase, FleetForm } from './fleet/fleets.ts';
import type { HistoryForm } from './fleet/histories.ts';
import { extrapolate, type Measurement, type Task } from './report/measurement.ts';
import type { Assignment, Effort, Peer, RivalName } from './rivals/rival.ts';
import { settle } from './server/server.ts';

export interface Turn extends Task {
  readonly rival: RivalName;
  readonly round: number;
  /** Number of tenants; all if absent. */
  readonly served?: number;
  /** The fleet's expected state afterwards. */
  readonly after: FleetState;
  /** Does the work. @returns its cost; `ms` is extrapolated to the whole fleet */
  readonly run: (url: string) => Promise<Effort>;
}

/** Measures a rival's turn on a settled server and verifies the result. */
export async function measure(bench: Bench, fleet: FleetDatabase, turn: Turn): Promise<Measurement> {
  const { after, run, ...task } = turn;
  await settle(bench.server);
  const effort = await run(fleet.url);
  await checkFleet(fleet.url, fleet.tenants, after);
  const measurement = { ...task, served: turn.served ?? turn.tenants, ...effort };
  bench.say(
    `round ${turn.round}: ${turn.work}, ${turn.tenants} tenants, ${turn.rival}: ${(effort.ms / 1000).toFixed(2)} s`,
  );
  return measurement;
}

/** A copy of a migrated fleet with its catalogs in the server's cache, because the census has read it. */
export async function withWarmFleet<T>(
  bench: Bench,
  tenants: number,
  history: HistoryForm,
  use: (fleet: FleetDatabase) => Promise<T>,
): Promise<T> {
  const form: FleetForm = { kind: 'migrated', history, tenants };
  return bench.fleets.withCopy(form, async (fleet) => {
    await checkFleet(fleet.url, fleet.tenants, { history, initialized: tenants, added: 0 });
    return use(fleet);
  });
}

/** Lets a peer migrate the fleet's first tenants. @returns the extrapolated cost for the whole fleet */
export async function servedByPeer(peer: Peer, assignment: Assignment): Promise<Effort> {
  const { first, tenants } = assignment;
  const startUp = first < tenants ? await peer.run({ ...assignment, first: 0 }) : undefined;
  const effort = await peer.run(assignment);
  return { ms: extrapolate(effort.ms, startUp?.ms ?? 0, first, tenants) };
}
