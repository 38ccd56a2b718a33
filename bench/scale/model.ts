import {
  EACH,
  TOTALS,
  type EachName,
  type ScaleFleet,
  type ScaleMeasurements,
  type TotalName,
} from './figures.ts';
import { fit } from './fit.ts';
import { throughput } from './throughput.ts';

/** A fleet on one server: total = once + tenants · (tenant + table · tables). */
export interface Line {
  readonly once: number;
  readonly tenant: number;
  readonly table: number;
}

/** What was measured, as lines. */
export interface Model {
  readonly totals: Readonly<Record<TotalName, Line>>;
  /** `once` is 0. */
  readonly each: Readonly<Record<EachName, Line>>;
}

/** Fits the lines to fleets that were measured. */
export function fitModel(fleets: readonly ScaleFleet[]): Model {
  const sums = fleets.map(({ tenants, tables }) => [1, tenants, tenants * tables]);
  const ones = fleets.map(({ tables }) => [1, tables]);
  const totals = names(TOTALS).map((name) => {
    const ys = fleets.map((fleet) => fleet.totals[name]);
    const [once = 0, tenant = 0, table = 0] = fit(sums, ys);
    return [name, { once, tenant, table }] as const;
  });
  const each = names(EACH).map((name) => {
    const ys = fleets.map((fleet) => fleet.each[name]);
    const [tenant = 0, table = 0] = fit(ones, ys);
    return [name, { once: 0, tenant, table }] as const;
  });
  return {
    totals: Object.fromEntries(totals) as Record<TotalName, Line>,
    each: Object.fromEntries(each) as Record<EachName, Line>,
  };
}

export function names<Name extends string>(of: Readonly<Record<Name, unknown>>): Name[] {
  return Object.keys(of) as Name[];
}

export function totalOf({ once, tenant, table }: Line, tenants: number, tables: number): number {
  return once + tenants * (tenant + table * tables);
}

/** What is assumed, besides what was measured. */
export interface Assumptions {
  readonly tenants: number;
  readonly tables: number;
  /** Servers that know nothing of each other, each with its own tenantctl. */
  readonly nodes: number;
  /** Tenants at once on each server. */
  readonly concurrency: number;
  readonly cores: number;
  readonly roundTripMs: number;
  readonly fsyncMs: number;
  /** Of the application, on each server. */
  readonly connections: number;
  /** Rows of a tenant. */
  readonly dataMb: number;
}

/** One server of the fleet. Bytes, and seconds that pass. */
export interface Prediction {
  readonly tenants: number;
  readonly relations: number;
  readonly catalogBytes: number;
  readonly emptyBytes: number;
  readonly stateBytes: number;
  readonly files: number;
  /** One backend that has used every tenant; all connections, each of which has used a tenth of them. */
  readonly backendBytes: number;
  readonly backendsBytes: number;
  readonly clientBytes: number;
  readonly noOp: number;
  readonly status: number;
  readonly add: number;
  readonly provision: number;
  readonly backup: number;
  readonly drift: number;
  readonly addWal: number;
  readonly addState: number;
  readonly autovacuum: number;
  readonly freeze: number;
  /** Locks of tables that pg_dump takes for the whole database. */
  readonly dumpLocks: number;
}

/** A backend of an application with many connections serves any tenant sooner or later; a tenth is assumed. */
const USED_SHARE = 0.1;
/** Its tables that are Knex's: the history and its lock. */
const OWN_TABLES = 2;
/** https://www.postgresql.org/docs/current/runtime-config-autovacuum.html: autovacuum_max_workers */
const VACUUM_WORKERS = 3;

export function predict(model: Model, measured: ScaleMeasurements, assumed: Assumptions): Prediction {
  const { tables, concurrency, cores, roundTripMs, fsyncMs, connections, dataMb } = assumed;
  const { machine } = measured;
  const tenants = Math.ceil(assumed.tenants / assumed.nodes);
  const total = (name: TotalName) => totalOf(model.totals[name], tenants, tables);
  const once = (name: TotalName) => model.totals[name].once;
  const each = (name: EachName) => totalOf(model.each[name], 1, tables);
  /** One query over everything: its parts follow one another. */
  const oneAfterTheOther = (client: TotalName, server: TotalName) => (total(client) + total(server)) / 1000;
  const inLanes = (client: number, server: number, trips: number, flushes: number) =>
    tenants /
    throughput({ client, server, wait: trips * roundTripMs + flushes * fsyncMs }, concurrency, cores) /
    1000;
  const add = inLanes(
    (total('addClient') - once('addClient')) / tenants,
    (total('addServer') - once('addServer')) / tenants,
    machine.addTrips,
    1,
  );
  const backup = inLanes(
    each('backupClient') + dataMb * machine.backupClientMsPerMb,
    each('backupServer') + dataMb * machine.backupServerMsPerMb,
    each('backupTrips'),
    1,
  );
  return {
    tenants,
    relations: total('relations'),
    catalogBytes: total('catalogBytes'),
    emptyBytes: total('emptyBytes'),
    stateBytes: total('stateBytes'),
    files: total('files'),
    backendBytes: tenants * each('backendBytes'),
    backendsBytes: connections * USED_SHARE * tenants * each('backendBytes'),
    clientBytes: total('noOpRss'),
    noOp: oneAfterTheOther('noOpClient', 'noOpServer'),
    status: oneAfterTheOther('statusClient', 'statusServer'),
    add: (once('addClient') + once('addServer')) / 1000 + add,
    provision: inLanes(each('provisionClient'), each('provisionServer'), each('provisionTrips'), 1),
    backup,
    drift: oneAfterTheOther('driftClient', 'driftServer'),
    addWal: total('addWal'),
    addState: total('addState'),
    autovacuum: total('autovacuum') / 1000,
    freeze: (tenants * each('freeze')) / 1000 / VACUUM_WORKERS,
    dumpLocks: tenants * (tables + OWN_TABLES),
  };
}
