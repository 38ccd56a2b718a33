import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { createFleet } from '../../support/fleet.ts';

test('a migration outside a transaction may lock every table of its schema, the history too', async () => {
  const fleet = await createFleet(['org_a']);
  const schema = schemaNameFor('org_a');
  await fleet.add(
    '20250101000003_reindex.sql',
    `-- migrate:up transaction:false\nREINDEX SCHEMA ${schema};\n`,
  );

  const { totals } = await fleet.migrate();

  expect(totals).toMatchObject({ changed: 1, failed: 0 });
  expect(await fleet.history('org_a')).toContain('20250101000003_reindex.sql@2');
});
