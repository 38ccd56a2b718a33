import { expect, test } from 'vitest';
import {
  EACH,
  TOTALS,
  type EachName,
  type ScaleFleet,
  type ScaleMeasurements,
  type TotalName,
} from '../../../bench/scale/figures.ts';
import { predictCitus } from '../../../bench/scale/citus.ts';
import { fit } from '../../../bench/scale/fit.ts';
import { limits } from '../../../bench/scale/limits.ts';
import { fitModel, names, predict } from '../../../bench/scale/model.ts';
import { toMarkdown } from '../../../bench/scale/tables.ts';
import { validate } from '../../../bench/scale/validation.ts';
import { throughput } from '../../../bench/scale/throughput.ts';

test('a line is found again, whatever the sizes of its numbers', () => {
  const xs = [
    [1, 100, 500],
    [1, 1000, 5000],
    [1, 1000, 25_000],
    [1, 2000, 10_000],
  ];
  for (const [once, tenant, table] of [
    [400, 6, 7],
    [8e6, 20_000, 22_000],
    [0, 0.01, 0],
  ] as const) {
    const ys = xs.map(([a = 0, b = 0, c = 0]) => a * once + b * tenant + c * table);
    const found = fit(xs, ys);
    for (const [at, expected] of [once, tenant, table].entries())
      expect(found[at]).toBeCloseTo(expected, 6 - Math.ceil(Math.log10(expected + 1)));
  }
});

test('what grows never has a negative part', () => {
  const [once = 0, slope = 0] = fit(
    [
      [1, 100],
      [1, 200],
      [1, 400],
    ],
    [50, 200, 500],
  );
  expect(once).toBe(0);
  expect(slope).toBeGreaterThan(0);
});

test('fleets with one number of tables tell nothing of a table', () => {
  const [once, tenant, table] = fit(
    [
      [1, 100, 500],
      [1, 1000, 5000],
    ],
    [300, 2100],
  );
  expect(once).toBeCloseTo(100);
  expect((tenant ?? 0) + 5 * (table ?? 0)).toBeCloseTo(2);
});

const DEMAND = { client: 1, server: 4, wait: 5 };

test('one tenant at once takes all its parts, one after the other', () => {
  expect(1 / throughput(DEMAND, 1, 8)).toBeCloseTo(10);
});

test('more lanes help until the slowest part is busy all the time', () => {
  const rates = [1, 2, 4, 8, 64].map((lanes) => throughput(DEMAND, lanes, 2));
  expect(rates).toEqual(rates.toSorted((a, b) => a - b));
  expect(rates.at(-1)).toBeLessThanOrEqual(0.5);
  expect(rates.at(-1)).toBeCloseTo(0.5, 1);
  expect(throughput(DEMAND, 64, 16)).toBeCloseTo(1, 1);
});

/** Fleets that are exactly on lines: each figure is 100 + n (2 + 3 t), of one tenant 2 + 3 t. */
function onLines(tenants: number, tables: number): ScaleFleet {
  const each = 2 + 3 * tables;
  return {
    tenants,
    tables,
    totals: Object.fromEntries(names(TOTALS).map((name) => [name, 100 + tenants * each])) as Record<
      TotalName,
      number
    >,
    each: Object.fromEntries(names(EACH).map((name) => [name, each])) as Record<EachName, number>,
    seconds: { noOp: 1, status: 1, add: 1, drift: 1 },
  };
}

const FLEETS = [onLines(100, 5), onLines(1000, 5), onLines(1000, 25), onLines(5000, 5)];
const MEASURED: ScaleMeasurements = {
  date: '2026-11-30',
  cores: 2,
  memoryGb: 24,
  node: '24.0.0',
  server: '18.0',
  machine: {
    flushMs: 1,
    fileFlushMs: 1,
    lockable: 10_000,
    addTrips: 1,
    backupClientMsPerMb: 10,
    backupServerMsPerMb: 10,
  },
  fleets: FLEETS,
};
const ASSUMED = {
  tenants: 10_000,
  tables: 10,
  nodes: 1,
  concurrency: 8,
  cores: 8,
  roundTripMs: 1,
  fsyncMs: 1,
  connections: 100,
  dataMb: 1,
};
const HARDWARE = { memoryGb: 64, diskTb: 2 };

test('small fleets foretell a larger one', () => {
  const found = validate(FLEETS, 1000, onLines(5000, 5));
  expect(found).toHaveLength(names(TOTALS).length + names(EACH).length);
  for (const { predicted, found: other } of found) expect(predicted / other).toBeCloseTo(1, 6);
});

test('ten servers have a tenth of the fleet each, and a tenth of the time', () => {
  const model = fitModel(FLEETS);
  const one = predict(model, MEASURED, ASSUMED);
  const ten = predict(model, MEASURED, { ...ASSUMED, nodes: 10 });
  expect(one.relations).toBeCloseTo(100 + 10_000 * 32);
  expect(ten.relations).toBeCloseTo(100 + 1000 * 32);
  expect(ten.tenants).toBe(1000);
  expect(ten.provision).toBeCloseTo(one.provision / 10);
  expect(ten.dumpLocks).toBe(12_000);
});

test('a network and a slow disk make runs longer, and more tenants at once shorter', () => {
  const model = fitModel(FLEETS);
  const at = (more: Partial<typeof ASSUMED>) =>
    predict(model, MEASURED, { ...ASSUMED, concurrency: 1, ...more });
  expect(at({ roundTripMs: 5 }).add - at({}).add).toBeCloseTo(40);
  expect(at({ fsyncMs: 5 }).add - at({}).add).toBeCloseTo(40);
  expect(at({ concurrency: 4 }).add).toBeLessThan(at({}).add);
  expect(at({ dataMb: 2 }).backup - at({}).backup).toBeCloseTo(200);
});

test('every worker of Citus has the tables of the whole fleet', () => {
  const model = fitModel(FLEETS);
  const ten = predictCitus(model, { ...ASSUMED, nodes: 10 });
  expect(ten.coordinatorRelations).toBeCloseTo(100 + 10_000 * 32);
  expect(ten.workerRelations).toBeCloseTo(100 + 11_000 * 32);
});

test('a tenant of Citus takes as long on any number of workers, and longer with more tables', () => {
  const model = fitModel(FLEETS);
  const at = (more: Partial<typeof ASSUMED>) => predictCitus(model, { ...ASSUMED, nodes: 10, ...more });
  expect(at({ nodes: 100 }).provision).toBe(at({}).provision);
  expect(at({ tables: 20 }).provision - at({}).provision).toBeCloseTo((10_000 * 300) / 8 / 1000);
});

test('at a limit, the server has exactly what it can have', () => {
  const found = limits(fitModel(FLEETS), MEASURED, ASSUMED, HARDWARE);
  const tenants = found.map((each) => each.tenants);
  expect(tenants).toEqual(tenants.toSorted((a, b) => a - b));
  const files = found.find(({ what }) => what.includes('large_dir'))?.tenants ?? 0;
  expect(100 + files * 32).toBeCloseTo(10e6);
  const locks = found.find(({ what }) => what.includes('pg_dump'))?.tenants ?? 0;
  expect(locks * 12).toBeCloseTo(10_000);
});

test('the document says of every section whether it was measured or extrapolated', () => {
  const headings = toMarkdown(MEASURED, ASSUMED, HARDWARE)
    .split('\n')
    .filter((line) => line.startsWith('###'));
  expect(headings.length).toBeGreaterThan(4);
  for (const heading of headings) expect(heading).toMatch(/^### (Measured|Extrapolated): /);
});

test('a figure that a fleet does not have is a gap in its table, and the others make the model', () => {
  const [first = onLines(100, 5)] = FLEETS;
  const without = { ...first, totals: { ...first.totals, autovacuum: Number.NaN } };
  // As it is read from a file.
  const read = JSON.parse(JSON.stringify({ ...MEASURED, fleets: [...FLEETS, without] })) as ScaleMeasurements;
  expect(toMarkdown(read, ASSUMED, HARDWARE)).toMatch(/\| 100 .*\| - +\|\n/);
  expect(fitModel(read.fleets).totals.autovacuum).toEqual(fitModel(FLEETS).totals.autovacuum);
});
