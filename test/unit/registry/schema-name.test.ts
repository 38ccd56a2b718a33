import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { schemaNameFor, TENANT_SCHEMA_PATTERN } from '../../../src/core/registry/schema-name.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { refusalOf } from '../../support/refusal.ts';

const organizationId = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 80 })
  .filter((id) => id.trim() !== '' && !/\p{Cc}/u.test(id));

test('default_tenant lives in tid_cf4116b064', () => {
  expect(schemaNameFor('default_tenant')).toBe('tid_cf4116b064');
});

test('every organization id gives the same schema name each time, one that needs no quotes', () => {
  fc.assert(
    fc.property(organizationId, (id) => {
      expect(schemaNameFor(id)).toMatch(TENANT_SCHEMA_PATTERN);
      expect(schemaNameFor(id)).toBe(schemaNameFor(id));
    }),
  );
});

test('the name is the start of md5 over UTF-8, whatever the script', () => {
  fc.assert(
    fc.property(organizationId, (id) => {
      const digest = createHash('md5').update(Buffer.from(id, 'utf8')).digest('hex');
      expect(schemaNameFor(id)).toBe(`tid_${digest.slice(0, 10)}`);
    }),
  );
});

test('spaces and case matter: an id is not tidied up', () => {
  const names = ['org', 'Org', ' org', 'org '].map(schemaNameFor);
  expect(new Set(names).size).toBe(4);
});

test.each([
  ['', 'it is empty'],
  ['  \u3000', 'it is empty'],
  ['org\u0000', 'control character'],
  ['org\n', 'control character'],
  ['org\u0085x', 'control character'],
  ['org\uD800', 'not well-formed Unicode'],
  ['x'.repeat(256), 'it has 256 characters'],
])('%j is refused: %s', (id, reason) => {
  expect(() => schemaNameFor(id)).toThrow(reason);
  expect(() => schemaNameFor(id)).toThrow(TenantctlError);
});

test('255 characters are allowed, counted as people count them and not in UTF-16', () => {
  expect(schemaNameFor('𝔘'.repeat(255))).toMatch(TENANT_SCHEMA_PATTERN);
  expect(() => schemaNameFor('𝔘'.repeat(256))).toThrow('it has 256 characters');
});

test('a refusal shows the id shortened, its control characters escaped', async () => {
  const refusal = await refusalOf((async () => schemaNameFor(`\u001b[31m${'x'.repeat(300)}`))());
  expect(refusal.tenant).toMatch(/^\\u001b\[31mx+\.\.\.$/);
  expect(refusal.tenant?.length).toBe(60);
});
