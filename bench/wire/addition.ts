import { rotated, type Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { ratio, type Measurement } from '../report/measurement.ts';
import type { RivalName } from '../rivals/rival.ts';
import { measure, withWarmFleet } from '../stage.ts';
import { captureAdd } from './capture-add.ts';
import type { CapturedStrings } from './captured-strings.ts';
import { replay, toReplay } from './replay.ts';

/** The difference is a few percent and needs more rounds than a multiple. */
export const ROUNDS_MORE = 3;

/** A part of each tenant's string, and its replacement. */
export interface Part {
  readonly without: RivalName;
  readonly pattern: RegExp;
  readonly replacement: string;
}

/**
 * Measures the cost of a part of the strings that tenantctl sends for one ALTER: psql, which itself costs
 * nothing, sends them with and without it.
 * @returns the added percentage; undefined without psql
 * @throws if no string has that part
 */
export async function measureAddition(
  bench: Bench,
  part: Part,
): Promise<{ readonly measurements: readonly Measurement[]; readonly percent: number | undefined }> {
  const { tenants, rounds, concurrency } = bench.settings;
  const captured = await captureAdd(bench, concurrency);
  const contenders = [
    { rival: 'psql-same', strings: await toReplay(captured) },
    { rival: part.without, strings: await toReplay(withoutPart(captured, part)) },
  ] as const;
  const measurements: Measurement[] = [];
  for (let round = 1; round <= rounds * ROUNDS_MORE; round += 1)
    for (const { rival, strings } of rotated(contenders, round))
      measurements.push(
        await withWarmFleet(bench, tenants, knexHistory, (fleet) =>
          measure(bench, fleet, {
            work: 'add',
            tenants,
            concurrency,
            roundTripMs: 0,
            round,
            rival,
            after: { history: knexHistory, initialized: tenants, added: tenants },
            run: (url) => replay(url, strings),
          }),
        ),
      );
  const times = ratio(measurements, 'psql-same', part.without);
  return { measurements, percent: times === undefined ? undefined : 100 * (times - 1) };
}

function withoutPart(captured: CapturedStrings, { pattern, replacement }: Part): CapturedStrings {
  const connections = captured.connections.map(({ session, tenants }) => ({
    session,
    tenants: tenants.map((text) => text.replaceAll(pattern, replacement)),
  }));
  const isSame = JSON.stringify(connections) === JSON.stringify(captured.connections);
  if (isSame) throw new Error('No string has what is to be left out.');
  return { ...captured, connections };
}
