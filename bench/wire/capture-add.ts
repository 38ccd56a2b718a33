import type { Bench } from '../bench.ts';
import { knexHistory } from '../fleet/histories.ts';
import { migrateTenants } from '../rivals/tenantctl.ts';
import { withWarmFleet } from '../stage.ts';
import { capturedStrings, type CapturedStrings } from './captured-strings.ts';
import { withWire } from './wire.ts';

/**
 * Captures what tenantctl sends for one ALTER per tenant. Copies of a fleet have the same oids and
 * transaction ids, so it can be replayed on another.
 */
export async function captureAdd(bench: Bench, concurrency: number): Promise<CapturedStrings> {
  const { tenants } = bench.settings;
  return withWarmFleet(bench, tenants, knexHistory, (fleet) =>
    withWire(fleet.url, 0, async ({ url, conversations }) => {
      const { folder } = bench.projects.after;
      await migrateTenants({ url, folder, concurrency, expect: { migrated: tenants } });
      return capturedStrings(conversations, fleet.tenants);
    }),
  );
}
