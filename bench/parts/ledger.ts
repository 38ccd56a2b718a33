import { rotated, type Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { findingOf } from '../report/finding.ts';
import { ratio, type Measurement } from '../report/measurement.ts';
import type { PartResult } from '../report/report.ts';
import { measure, withWarmFleet } from '../stage.ts';
import { captureAdd } from '../wire/capture-add.ts';
import type { CapturedStrings } from '../wire/captured-strings.ts';
import { replay, toReplay } from '../wire/replay.ts';

/** What is looked for is a few percent: more rounds than for a figure that is a multiple. */
const ROUNDS_MORE = 3;

/** The last arguments of `tenantctl.record` and `tenantctl.leave`: the batch, the number of the run, the organization. */
const RUN_NUMBER = /(::text\[\], \d+, )\d+(, )/g;

/** The same strings with and without what goes into the ledger of runs, sent by psql, which costs nothing itself. */
export async function measureLedger(bench: Bench): Promise<PartResult> {
  const { tenants, rounds, concurrency } = bench.settings;
  if (!bench.hasPsql) return { measurements: [], findings: [], notes: ['There is no psql to send them.'] };
  const captured = await captureAdd(bench, concurrency);
  const contenders = [
    { rival: 'psql-same', strings: await toReplay(captured) },
    { rival: 'psql-no-ledger', strings: await toReplay(withoutLedger(captured)) },
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
  const times = ratio(measurements, 'psql-same', 'psql-no-ledger');
  return {
    measurements,
    findings: findingOf(times === undefined ? undefined : 100 * (times - 1), {
      what: 'add: what the ledger adds to the time',
      tenants,
      unit: '%',
      bar: { kind: 'at most', limit: 3, tenants: 1000 },
    }),
    notes: [
      `Each round was measured ${ROUNDS_MORE} times over. The ledger has one row for each tenant, written in the tenant's own transaction; beside that a run has some statements at its beginning and its end, however many tenants there are.`,
    ],
  };
}

/** @throws where the strings have no number of a run: they would be the same with and without */
function withoutLedger(captured: CapturedStrings): CapturedStrings {
  let removed = 0;
  const without = (text: string) =>
    text.replaceAll(RUN_NUMBER, (_all, before: string, after: string) => {
      removed += 1;
      return `${before}NULL${after}`;
    });
  const connections = captured.connections.map(({ session, tenants }) => ({
    session,
    tenants: tenants.map(without),
  }));
  if (removed === 0) throw new Error('No string has the number of a run.');
  return { ...captured, connections };
}
