import { expect, test } from 'vitest';
import { backfillTenants } from '../../../src/core/commands/backfill-tenants.ts';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import type { RunEvent } from '../../../src/core/report/event.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';

const ORGANIZATIONS = ['org_a', 'org_b', 'org_c'];

/** A fleet whose tenants have this many rows to fill in. */
async function unfilledFleet(rows: number): Promise<TestFleet> {
  const fleet = await createFleet(ORGANIZATIONS);
  for (const organization of ORGANIZATIONS)
    await fleet.query(
      `CREATE TABLE ${schemaNameFor(organization)}.words AS SELECT n AS id, NULL::text AS text FROM generate_series(1, ${rows}) AS n`,
    );
  return fleet;
}

const FILL = "UPDATE words SET text = 'x' WHERE id IN (SELECT id FROM words WHERE text IS NULL LIMIT 10)";

async function unfilled({ query }: TestFleet, organization: string): Promise<number> {
  const [row] = await query<{ n: number }>(
    `SELECT count(*)::int AS n FROM ${schemaNameFor(organization)}.words WHERE text IS NULL`,
  );
  return row?.n ?? -1;
}

test('a batch is repeated in each tenant until it changes no rows', async () => {
  const fleet = await unfilledFleet(25);
  const events: RunEvent[] = [];
  const result = await backfillTenants(fleet.database, {
    sql: FILL,
    observe: (event) => void events.push(event),
  });
  expect(result).toMatchObject({ totals: { selected: 3, changed: 3, failed: 0, rows: 75, batches: 9 } });
  expect(result.tenants[0]).toMatchObject({ outcome: 'written', rows: 25, batches: 3 });
  for (const organization of ORGANIZATIONS) expect(await unfilled(fleet, organization)).toBe(0);
});
