import { figure, thousands } from '../report/figure.ts';
import { toTable } from '../report/table.ts';
import { predictCitus, type CitusPrediction } from './citus.ts';
import { EACH, TOTALS, type ScaleFleet, type ScaleMeasurements } from './figures.ts';
import { bytes, quantity, time } from './format.ts';
import { limits, type Hardware } from './limits.ts';
import { fitModel, names, predict, totalOf, type Assumptions, type Model, type Prediction } from './model.ts';
import { validationTable } from './validation.ts';

const TENANTS = [10_000, 100_000, 1_000_000] as const;
const NODES = [1, 10, 100] as const;

/** Everything that docs/scale.md shows. */
export function toMarkdown(measured: ScaleMeasurements, assumed: Assumptions, hardware: Hardware): string {
  const model = fitModel(measured.fleets);
  return [
    '### Measured: fleets',
    fleetsTable(measured.fleets),
    machineLine(measured),
    '### Measured: one tenant',
    tenantTable(model, assumed.tables),
    '### Measured: how wrong the lines are',
    validationTable(measured),
    '### Extrapolated: whole fleets',
    assumptionsLine(assumed),
    ...TENANTS.flatMap((tenants) => [
      `**${thousands(tenants)} tenants**`,
      nodesTable(model, measured, { ...assumed, tenants }),
    ]),
    '### Extrapolated: one cluster of Citus',
    citusTable(model, assumed),
    '### Extrapolated: where one server breaks',
    limitsTable(model, measured, assumed, hardware),
  ].join('\n\n');
}

function fleetsTable(fleets: readonly ScaleFleet[]): string {
  const rows = fleets.map(({ tenants, tables, totals, each, seconds }) => [
    thousands(tenants),
    String(tables),
    thousands(totals.relations),
    bytes(totals.catalogBytes),
    thousands(totals.files),
    `${figure(seconds.noOp)} s`,
    `${figure(seconds.status)} s`,
    `${figure(seconds.add)} s`,
    `${figure(seconds.drift)} s`,
    `${figure(each.provisionServer)} ms`,
    // Not every run sees a worker; JSON has null for NaN.
    Number.isFinite(totals.autovacuum) ? `${figure(totals.autovacuum)} ms` : '-',
  ]);
  const header = ['tenants', 'tables', 'pg_class', 'catalogs', 'files', 'no-op', 'status', 'ALTER', 'drift'];
  return toTable([[...header, 'provisioning one: CPU', 'autovacuum: CPU'], ...rows]).join('\n');
}

function machineLine({ date, cores, memoryGb, node, server, machine }: ScaleMeasurements): string {
  return `${date}, ${cores} cores, ${memoryGb} GB, Node ${node}, PostgreSQL ${server} with default settings but autovacuum off, loopback. A commit waited ${figure(machine.flushMs)} ms for the disk; a checkpoint took ${figure(machine.fileFlushMs)} ms for each new file. One transaction could take ${thousands(machine.lockable)} locks. A backup takes ${figure(machine.backupClientMsPerMb)} ms of the client’s CPU and ${figure(machine.backupServerMsPerMb)} ms of the server’s for each MB of rows.`;
}

/** Once, for each tenant, for each table; and a tenant of the assumed size. */
function tenantTable(model: Model, tables: number): string {
  const rows = [
    ...names(TOTALS).map((name) => ({ ...TOTALS[name], line: model.totals[name], once: true })),
    ...names(EACH).map((name) => ({ ...EACH[name], line: model.each[name], once: false })),
  ].map(({ title, unit, line, once }) => [
    title,
    once ? quantity(line.once, unit) : '',
    quantity(line.tenant, unit),
    quantity(line.table, unit),
    quantity(totalOf({ ...line, once: 0 }, 1, tables), unit),
  ]);
  return toTable([
    ['figure', 'once', 'each tenant', 'each table', `a tenant with ${tables} tables`],
    ...rows,
  ]).join('\n');
}

export function assumptionsLine({
  tables,
  concurrency,
  cores,
  roundTripMs,
  fsyncMs,
  connections,
  dataMb,
}: Assumptions): string {
  return `Assumed: ${tables} tables a tenant, ${dataMb} MB of rows; each server with ${cores} cores like the measured ones, ${connections} connections, ${figure(roundTripMs)} ms of round trip, ${figure(fsyncMs)} ms for a commit to reach the disk; each server has a tenantctl of its own with \`--concurrency ${concurrency}\`.`;
}

const ROWS: readonly (readonly [string, (of: Prediction) => string])[] = [
  ['tenants on a server', ({ tenants }) => thousands(tenants)],
  ['rows of pg_class', ({ relations }) => thousands(Math.round(relations))],
  ['files', ({ files }) => thousands(Math.round(files))],
  ['catalogs', ({ catalogBytes }) => bytes(catalogBytes)],
  ['empty tables and indexes', ({ emptyBytes }) => bytes(emptyBytes)],
  ['schema tenantctl', ({ stateBytes }) => bytes(stateBytes)],
  ['a backend that has used all', ({ backendBytes }) => bytes(backendBytes)],
  ['all connections, a tenth of it each', ({ backendsBytes }) => bytes(backendsBytes)],
  ['memory of tenantctl, no-op', ({ clientBytes }) => bytes(clientBytes)],
  ['no-op', ({ noOp }) => time(noOp)],
  ['status', ({ status }) => time(status)],
  ['one ALTER TABLE', ({ add }) => time(add)],
  ['its WAL', ({ addWal }) => bytes(addWal)],
  ['what it adds to schema tenantctl', ({ addState }) => bytes(addState)],
  ['provisioning all', ({ provision }) => time(provision)],
  ['backup of all', ({ backup }) => time(backup)],
  ['drift', ({ drift }) => time(drift)],
  ['autovacuum finds nothing to do', ({ autovacuum }) => time(autovacuum)],
  ['freezing every table, 3 workers', ({ freeze }) => time(freeze)],
  ['locks of `pg_dump`', ({ dumpLocks }) => thousands(dumpLocks)],
];

/** One server's part, for each number of servers. */
export function nodesTable(
  model: Model,
  measured: ScaleMeasurements,
  assumed: Assumptions,
  nodes: readonly number[] = NODES,
): string {
  const predictions = nodes.map((each) => predict(model, measured, { ...assumed, nodes: each }));
  const header = [
    'each server',
    ...nodes.map((each) => `${thousands(each)} ${each === 1 ? 'server' : 'servers'}`),
  ];
  return toTable([header, ...ROWS.map(([title, show]) => [title, ...predictions.map(show)])]).join('\n');
}

const CITUS_ROWS: readonly (readonly [string, (of: CitusPrediction) => string])[] = [
  [
    'coordinator: rows of pg_class',
    ({ coordinatorRelations }) => thousands(Math.round(coordinatorRelations)),
  ],
  ['coordinator: catalogs', ({ coordinatorBytes }) => bytes(coordinatorBytes)],
  ['each worker: rows of pg_class', ({ workerRelations }) => thousands(Math.round(workerRelations))],
  ['each worker: catalogs', ({ workerBytes }) => bytes(workerBytes)],
  ['each worker: files', ({ workerFiles }) => thousands(Math.round(workerFiles))],
  ['one ALTER TABLE', ({ add }) => time(add)],
  ['provisioning all', ({ provision }) => time(provision)],
];

/** Each number of tenants on ten and on a hundred workers. */
function citusTable(model: Model, assumed: Assumptions): string {
  const cases = TENANTS.flatMap((tenants) => NODES.slice(1).map((nodes) => ({ ...assumed, tenants, nodes })));
  const header = cases.map(({ tenants, nodes }) => `${thousands(tenants)} on ${nodes}`);
  const predictions = cases.map((each) => predictCitus(model, each));
  return toTable([
    ['tenants on workers', ...header],
    ...CITUS_ROWS.map(([title, show]) => [title, ...predictions.map(show)]),
  ]).join('\n');
}

export function limitsTable(
  model: Model,
  measured: ScaleMeasurements,
  assumed: Assumptions,
  hardware: Hardware,
): string {
  const rows = limits(model, measured, assumed, hardware).map(({ what, tenants }) => [
    what,
    thousands(Number(tenants.toPrecision(2))),
  ]);
  return toTable([['what happens', 'tenants'], ...rows]).join('\n');
}
