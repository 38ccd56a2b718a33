import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import pino from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { migrateTenants } from '../../../src/core/commands/migrate-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { FleetStatus } from '../../../src/core/fleet/status.ts';
import type { Observer, RunEvent } from '../../../src/core/report/event.ts';
import { suspendTenants } from '../../../src/core/tenant/suspend.ts';
import { createFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { refusalOf } from '../../support/refusal.ts';

interface Adapters {
  readonly logTo: (logger: unknown) => Observer;
  readonly metricsIn: (registry: unknown) => {
    readonly observe: Observer;
    readonly setFleet: (status: FleetStatus) => void;
  };
  readonly observeWith: (meter: unknown) => Observer;
}

async function readAdapters(): Promise<Adapters> {
  const files = ['pino.mjs', 'prometheus.mjs', 'opentelemetry.mjs'];
  const folder = new URL('../../../examples/observability/', import.meta.url);
  const loaded = await Promise.all(files.map((file) => import(new URL(file, folder).href)));
  return Object.assign({}, ...loaded) as Adapters;
}

/** Fails once in org_b, as a deadlock does, and always in org_c. */
async function setOut() {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  await fleet.query(`CREATE SEQUENCE public.tries; GRANT ALL ON SEQUENCE public.tries TO public`);
  await fleet.add(
    '20250101000003_links.sql',
    `-- migrate:up
DO $$ BEGIN
  IF current_schema() = '${schemaNameFor('org_b')}' AND nextval('public.tries') = 1 THEN
    RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
  END IF;
END $$;
${createTable('links').replace('-- migrate:up\n', '')}`,
  );
  await fleet.query(`CREATE TABLE ${schemaNameFor('org_c')}.links ()`);
  return fleet;
}

const count = (events: readonly RunEvent[], type: RunEvent['type']) =>
  events.filter((event) => event.type === type).length;

test('the events of a run have its number: it started, tried again, and ended with the totals', async () => {
  const fleet = await setOut();
  const events: RunEvent[] = [];
  const observe = (event: RunEvent) => void events.push(event);
  const { run } = await fleet.migrate({ observe });
  expect([count(events, 'started'), count(events, 'retry'), count(events, 'ended')]).toEqual([1, 1, 1]);
  expect(events.find(({ type }) => type === 'started')).toEqual({
    type: 'started',
    command: 'migrate tenants',
    run,
  });
  expect(events.find(({ type }) => type === 'retry')).toMatchObject({
    tenant: { clerkOrgId: 'org_b', schema: schemaNameFor('org_b') },
    error: { sqlstate: '40P01' },
    tries: 1,
    run,
  });
  expect(events.at(-1)).toMatchObject({
    type: 'ended',
    command: 'migrate tenants',
    outcome: 'failed',
    totals: { selected: 3, changed: 2, failed: 1 },
    run,
  });
  expect(events.filter(({ type }) => type === 'tenant').map((event) => event.run)).toEqual([run, run, run]);

  // A run with nothing to do has an end; one that cannot begin has one without a number.
  events.length = 0;
  await fleet.migrate({ observe, tenants: ['org_a'] });
  await suspendTenants(fleet.database, ['org_a'], { observe });
  await refusalOf(migrateTenants(fleet.database, { folder: '/nowhere', observe }));
  const ends = events.filter((event) => event.type === 'ended');
  expect(ends.map(({ command, outcome, error }) => [command, outcome, error?.code])).toEqual([
    ['migrate tenants', 'done', undefined],
    ['tenant suspend', 'done', undefined],
    ['migrate tenants', 'failed', 'MIGRATIONS_FOLDER_MISSING'],
  ]);
  expect(ends.map((event) => typeof event.run)).toEqual(['number', 'number', 'undefined']);
});

test('the adapters for pino, prom-client and OpenTelemetry log tenants, and count them without a series each', async () => {
  const fleet = await setOut();
  const { logTo, metricsIn, observeWith } = await readAdapters();
  const lines: Record<string, unknown>[] = [];
  const log = pino(
    { base: null },
    { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  );
  const registry = new Registry();
  const prometheus = metricsIn(registry);
  const exporter = new InMemoryMetricExporter(AggregationTemporality.DELTA);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  const observers = [logTo(log), prometheus.observe, observeWith(provider.getMeter('tenantctl'))];
  const { run } = await fleet.migrate({
    observe: (event) => observers.forEach((observer) => observer(event)),
  });
  prometheus.setFleet(await fleet.status());

  const raised = lines.filter(({ level }) => Number(level) >= 40);
  expect(raised).toHaveLength(3);
  expect(raised).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ run, clerkOrgId: 'org_b', tries: 1 }),
      expect.objectContaining({ run, clerkOrgId: 'org_c', outcome: 'failed' }),
      expect.objectContaining({ run, command: 'migrate tenants', outcome: 'failed' }),
    ]),
  );
  expect(JSON.stringify(raised)).toContain('MIGRATION_FAILED');
  const text = await registry.metrics();
  for (const line of [
    'tenantctl_runs_total{command="migrate tenants",outcome="failed"} 1',
    'tenantctl_run_tenants_total{outcome="migrated"} 2',
    'tenantctl_run_tenants_total{outcome="failed"} 1',
    'tenantctl_retries_total{code="40P01"} 1',
    'tenantctl_tenants{class="upToDate"} 2',
    'tenantctl_tenants{class="failed"} 1',
    'tenantctl_version_tenants{version="20250101000003_links.sql"} 2',
  ])
    expect(text).toContain(line);
  expect(text).not.toMatch(/org_|tid_/);

  await reader.forceFlush();
  const found = exporter
    .getMetrics()
    .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  await provider.shutdown();
  const pointsOf = (name: string) =>
    found
      .filter(({ descriptor }) => descriptor.name === name)
      .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => [attributes, value]));
  expect(pointsOf('tenantctl.run.tenants')).toEqual(
    expect.arrayContaining([
      [{ 'tenantctl.outcome': 'migrated' }, 2],
      [{ 'tenantctl.outcome': 'failed' }, 1],
    ]),
  );
  expect(pointsOf('tenantctl.retries')).toEqual([[{ 'error.type': '40P01' }, 1]]);
  expect(JSON.stringify(found)).not.toMatch(/org_|tid_/);
});
