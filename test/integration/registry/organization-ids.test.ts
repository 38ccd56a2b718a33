import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { schemaNameFor, TENANT_SCHEMA_PATTERN } from '../../../src/core/registry/schema-name.ts';
import { createFleet } from '../../support/fleet.ts';
import { usualProject } from '../../support/project.ts';

/** Characters that SQL, a shell, a terminal or another reader of Unicode takes for something else. */
const TRICKY = [
  `'`,
  `"`,
  '\\',
  '\0',
  '\n',
  '\t',
  '$$',
  '--',
  ';',
  '%',
  '_',
  '/*',
  '{}',
  '😀',
  '\uD800',
  '\u00A0',
];

/** Ids of any kind, with neighbours that look alike: another case, another normal form, a blank at the end. */
const organizationId = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  fc
    .array(fc.oneof(fc.constantFrom(...TRICKY), fc.string({ maxLength: 4 })), { maxLength: 12 })
    .map((parts) => parts.join('')),
  fc.integer({ min: 250, max: 10_000 }).map((length) => 'o'.repeat(length)),
  fc.constantFrom('Órg', 'O\u0301rg', 'órg', 'оrg', 'org', 'org ', ' org', 'ORG', 'orɡ', 'org\u200B', 'ｏrg'),
);

test('every id of four hundred, whatever it is made of, is refused or gets one well-formed schema of its own', async () => {
  const ids = [...new Set(fc.sample(organizationId, 400))];
  const files = {
    'migrations/tenants/1_things.sql':
      '-- migrate:up\nCREATE TABLE things ();\n-- migrate:down\nDROP TABLE things;',
  };
  const fleet = await createFleet([], { project: await usualProject(files) });
  const results = await fleet.provision(...ids);
  expect(results.map(({ clerkOrgId }) => clerkOrgId)).toEqual(ids);

  const accepted = results.filter(({ outcome }) => outcome === 'provisioned');
  const refused = results.filter(({ outcome }) => outcome === 'failed');
  expect(accepted.length).toBeGreaterThan(150);
  expect(refused.length).toBeGreaterThan(50);
  for (const { error, schema } of refused) {
    expect(error?.code).toBe('ORGANIZATION_ID_INVALID');
    expect(schema).toBe('');
  }
  const expected = accepted
    .map(({ clerkOrgId }) => ({ id: clerkOrgId, schema: schemaNameFor(clerkOrgId), status: 'ACTIVE' }))
    .toSorted((a, b) => (a.schema < b.schema ? -1 : 1));
  expect(
    await fleet.query(
      'SELECT clerk_org_id AS id, schema_name AS schema, status FROM tenants ORDER BY schema_name COLLATE "C"',
    ),
  ).toEqual(expected);
  const schemas = expected.map(({ schema }) => schema);
  for (const schema of schemas) expect(schema).toMatch(TENANT_SCHEMA_PATTERN);
  expect(new Set(schemas).size).toBe(schemas.length);
  const tables = await fleet.query<{ schema: string }>(
    `SELECT schemaname AS schema FROM pg_tables WHERE tablename = 'things' ORDER BY schemaname COLLATE "C"`,
  );
  expect(tables.map(({ schema }) => schema)).toEqual(schemas);

  // Again: each of them is the same tenant still.
  const again = await fleet.provision(...accepted.slice(0, 40).map(({ clerkOrgId }) => clerkOrgId));
  expect(new Set(again.map(({ outcome }) => outcome))).toEqual(new Set(['already-active']));
});
