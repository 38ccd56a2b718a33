// Metrics of runs and of the fleet with prom-client. Counts and cohorts: no metric has a label for each tenant.
import { Counter, Gauge, Histogram } from 'prom-client';

/** The versions with a series of their own; the tenants of older ones are counted together. */
const VERSIONS = 10;

/** @param registry of prom-client @returns an observer for every run, and a function for the result of fleetStatus */
export function metricsIn(registry) {
  const registers = [registry];
  const runs = new Counter({
    name: 'tenantctl_runs_total',
    help: 'Runs by command and outcome',
    labelNames: ['command', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'tenantctl_run_duration_seconds',
    help: 'Durations of runs',
    labelNames: ['command'],
    buckets: [0.1, 1, 10, 60, 600, 3_600],
    registers,
  });
  const served = new Counter({
    name: 'tenantctl_run_tenants_total',
    help: 'Tenants of runs by outcome',
    labelNames: ['outcome'],
    registers,
  });
  const retries = new Counter({
    name: 'tenantctl_retries_total',
    help: 'Attempts that failed with a transient error',
    labelNames: ['code'],
    registers,
  });
  const fleet = new Gauge({
    name: 'tenantctl_tenants',
    help: 'Tenants by class',
    labelNames: ['class'],
    registers,
  });
  const versions = new Gauge({
    name: 'tenantctl_version_tenants',
    help: 'Tenants by newest migration',
    labelNames: ['version'],
    registers,
  });

  return {
    observe(event) {
      if (event.type === 'ended') {
        runs.inc({ command: event.command, outcome: event.outcome });
        seconds.observe({ command: event.command }, event.durationMs / 1_000);
      }
      if (event.type === 'tenant') served.inc({ outcome: event.result.outcome });
      if (event.type === 'retry') retries.inc({ code: event.error.sqlstate ?? event.error.code });
    },
    /** Call it now and then: `setFleet(await fleetStatus(database, folders))`. */
    setFleet(status) {
      for (const name of ['upToDate', 'behind', 'failed', 'notActive', 'broken'])
        fleet.set({ class: name }, status.tenants[name]);
      versions.reset();
      for (const [at, { version, tenants }] of status.versions.entries())
        versions.inc({ version: at < VERSIONS ? (version ?? 'none') : 'older' }, tenants);
    },
  };
}
