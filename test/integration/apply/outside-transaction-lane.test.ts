import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet } from '../../support/fleet.ts';

test('an index that is built concurrently does not wait for a tenant that waits for its turn to build one', async () => {
  const fleet = await createFleet(['org_a', 'org_b', 'org_c']);
  // The look at org_c takes a while, as any statement may: its snapshot is one that the index of org_b waits for.
  await fleet.query(`ALTER TABLE public.tenants RENAME TO registry;
    CREATE VIEW public.tenants AS SELECT id, clerk_org_id, schema_name, created_at, updated_at,
      CASE WHEN schema_name = '${schemaNameFor('org_c')}' AND pg_sleep(0.4)::text = '' THEN status ELSE status END AS status FROM public.registry`);
  await fleet.add(
    '3_index.sql',
    '-- migrate:up transaction:false\nCREATE INDEX CONCURRENTLY notes_id ON notes (id);',
  );
  const late = new AbortController();
  const stuck = sleep(15_000, 'stuck', { signal: late.signal }).then(
    async () => {
      await fleet.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tenantctl'`,
      );
      return 'stuck';
    },
    () => 'stuck',
  );
  const end = await Promise.race([
    fleet.migrate({ concurrency: 2 }).then(({ totals }) => totals.changed),
    stuck,
  ]);
  late.abort();
  expect(end).toBe(3);
});
