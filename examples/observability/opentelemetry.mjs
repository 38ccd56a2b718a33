// Metrics of runs with OpenTelemetry. Counts only: no attribute names a tenant.
import { metrics } from '@opentelemetry/api';

/** @returns an observer for every run */
export function observeWith(meter = metrics.getMeter('tenantctl')) {
  const duration = meter.createHistogram('tenantctl.run.duration', { unit: 's' });
  const tenants = meter.createCounter('tenantctl.run.tenants');
  const retries = meter.createCounter('tenantctl.retries');
  return (event) => {
    if (event.type === 'ended') {
      const { command, outcome, durationMs } = event;
      duration.record(durationMs / 1_000, { 'tenantctl.command': command, 'tenantctl.outcome': outcome });
    }
    if (event.type === 'tenant') tenants.add(1, { 'tenantctl.outcome': event.result.outcome });
    if (event.type === 'retry') retries.add(1, { 'error.type': event.error.sqlstate ?? event.error.code });
  };
}
