import { expect, test } from 'vitest';
import { renderShape } from '../../../src/core/shape/render-shape.ts';
import { toShape, type ShapeRow } from '../../../src/core/shape/shape.ts';

const row = (kind: string, name: string, sql: string): ShapeRow => ({
  kind,
  name,
  sql,
  table: null,
  place: 0,
});

test('what a statement mentions stands before it, but not what the body of a function mentions', () => {
  const shape = toShape('tid_1', 18, [
    row('view', 'a', 'CREATE VIEW a AS SELECT * FROM b'),
    row('view', 'b', `CREATE VIEW b AS SELECT 'a' AS c`),
    row('domain', 'age', 'CREATE DOMAIN age AS int'),
    row('domain constraint', 'adult on age', 'ALTER DOMAIN age ADD CONSTRAINT adult CHECK (is_adult(VALUE))'),
    row('function', 'is_adult(integer)', 'CREATE FUNCTION is_adult(int) AS $f$SELECT FROM people$f$'),
    row('table', 'people', 'CREATE TABLE people ()'),
  ]);
  expect(
    renderShape(shape)
      .split('\n')
      .filter((line) => /^CREATE|^ALTER/.test(line))
      .map((line) => line.split(' ').slice(0, 3).join(' ')),
  ).toEqual([
    'CREATE SCHEMA tenant_schema;',
    'CREATE DOMAIN age',
    'CREATE FUNCTION is_adult(int)',
    'ALTER DOMAIN age',
    'CREATE TABLE people',
    'CREATE VIEW b',
    'CREATE VIEW a',
  ]);
});

test('the name of the schema is replaced as a whole identifier, unless an object has it', () => {
  const body = 'CREATE FUNCTION f() AS $f$SELECT acme.x, acme_old, "acme".y$f$';
  const [object] = toShape('acme', 18, [row('function', 'f()', body)]).objects;
  expect(object?.sql).toBe('CREATE FUNCTION f() AS $f$SELECT tenant_schema.x, acme_old, tenant_schema.y$f$');
  const [same] = toShape('acme', 18, [row('function', 'f()', body), row('table', 'acme', '')]).objects;
  expect(same?.sql).toBe(body);
});

test.each(['org-acme', '0f8fad5b-d9cd-469f-a165', 'a.b+c', 'quo"te', 'so/so', 'ünï'])(
  'the name of a schema is not part of its shape: %s',
  (schema) => {
    const quoted = `"${schema.replaceAll('"', '""')}"`;
    const shape = (name: string) =>
      toShape(name, 18, [row('function', 'f()', `CREATE FUNCTION f() SET search_path TO ${quoted}, public`)]);
    expect(shape(schema).objects[0]?.sql).toBe(
      'CREATE FUNCTION f() SET search_path TO tenant_schema, public',
    );
    expect(shape('other').objects[0]?.sql).toContain(quoted);
  },
);
