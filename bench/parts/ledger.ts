import type { Bench } from '../bench.ts';
import { findingOf } from '../report/finding.ts';
import type { PartResult } from '../report/report.ts';
import { measureAddition, ROUNDS_MORE } from '../wire/addition.ts';

/** The last arguments of `tenantctl.record` and `tenantctl.leave`: batch, run number, organization. */
const RUN_NUMBER = /(::text\[\], \d+::integer, )\d+(::bigint, )/g;

/** The ledger's share of each tenant's string. */
export async function measureLedger(bench: Bench): Promise<PartResult> {
  if (!bench.hasPsql) return { measurements: [], findings: [], notes: ['There is no psql to send them.'] };
  const { measurements, percent } = await measureAddition(bench, {
    without: 'psql-no-ledger',
    pattern: RUN_NUMBER,
    replacement: '$1NULL$2',
  });
  return {
    measurements,
    findings: findingOf(percent, {
      what: 'add: time added by the ledger',
      tenants: bench.settings.tenants,
      unit: '%',
      bar: { kind: 'at most', limit: 3, tenants: 1000 },
    }),
    notes: [
      `Each round was measured ${ROUNDS_MORE} times. The ledger gets one row per tenant, in the tenant's own transaction, and a few statements at the beginning and the end of a run, whatever the number of tenants.`,
    ],
  };
}
