import { thousands } from '../report/figure.ts';
import { toTable } from '../report/table.ts';
import {
  EACH,
  TOTALS,
  type EachName,
  type ScaleFleet,
  type ScaleMeasurements,
  type TotalName,
} from './figures.ts';
import { quantity, time } from './format.ts';
import { fitModel, names, predict, totalOf } from './model.ts';

/** A figure of a fleet that was left out of the fit: how far off is the line? */
interface Deviation {
  readonly name: TotalName | EachName;
  readonly predicted: number;
  readonly found: number;
}

/** What the lines through the fleets of at most `limit` tenants say about another fleet. */
export function validate(fleets: readonly ScaleFleet[], limit: number, other: ScaleFleet): Deviation[] {
  const { totals, each } = fitModel(fleets.filter(({ tenants }) => tenants <= limit));
  return [
    ...names(TOTALS).map((name) => ({
      name,
      predicted: totalOf(totals[name], other.tenants, other.tables),
      found: other.totals[name],
    })),
    ...names(EACH).map((name) => ({
      name,
      predicted: totalOf(each[name], 1, other.tables),
      found: other.each[name],
    })),
  ];
}

/** The largest fleet, foretold from those of at most half its size. */
export function validationTable(measured: ScaleMeasurements): string {
  const { fleets } = measured;
  const largest = fleets.toSorted((a, b) => b.tenants - a.tenants || b.tables - a.tables)[0];
  const smaller = fleets.filter(({ tenants }) => tenants <= (largest?.tenants ?? 0) / 2);
  if (largest === undefined || smaller.length < 3) return 'Too few fleets were measured.';
  const limit = Math.max(...smaller.map(({ tenants }) => tenants));
  const figures = validate(fleets, limit, largest).map(({ name, predicted, found }) => {
    const { title, unit } = name in TOTALS ? TOTALS[name as TotalName] : EACH[name as EachName];
    return [title, quantity(predicted, unit), quantity(found, unit), errorOf(predicted, found)];
  });
  const elapsed = predictElapsed(measured, limit, largest).map(([what, predicted, found]) => [
    `${what}: time that passed`,
    time(predicted),
    time(found),
    errorOf(predicted, found),
  ]);
  return [
    `Lines through the fleets of at most ${thousands(limit)} tenants foretell the one of ${thousands(largest.tenants)} tenants with ${largest.tables} tables:`,
    toTable([['figure', 'foretold', 'measured', 'error'], ...figures, ...elapsed]).join('\n'),
  ].join('\n\n');
}

function errorOf(predicted: number, found: number): string {
  const percent = (100 * (predicted - found)) / found;
  return `${percent > 0 ? '+' : ''}${percent.toFixed(0)} %`;
}

/** The commands over a fleet that was measured, with the cores and the disk of the machine that it was measured on. */
function predictElapsed(
  measured: ScaleMeasurements,
  limit: number,
  { tenants, tables, seconds }: ScaleFleet,
): (readonly [what: string, predicted: number, found: number])[] {
  const model = fitModel(measured.fleets.filter((each) => each.tenants <= limit));
  const { cores, machine } = measured;
  const here = { cores, concurrency: 4, roundTripMs: 0, fsyncMs: machine.flushMs, connections: 1, dataMb: 0 };
  const predicted = predict(model, measured, { ...here, tenants, tables, nodes: 1 });
  return [
    ['no-op', predicted.noOp, seconds.noOp],
    ['status', predicted.status, seconds.status],
    ['ALTER', predicted.add, seconds.add],
    ['drift', predicted.drift, seconds.drift],
  ];
}
