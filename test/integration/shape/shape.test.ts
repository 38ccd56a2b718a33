import { expect, inject, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import { compareShapes } from '../../../src/core/shape/compare-shapes.ts';
import { readImprints, readShape, readShapes } from '../../../src/core/shape/read-shapes.ts';
import { renderShape } from '../../../src/core/shape/render-shape.ts';
import type { Shape } from '../../../src/core/shape/shape.ts';
import type { Database } from '../../../src/db/database.ts';
import { identifier } from '../../../src/db/sql.ts';
import { withTransaction } from '../../../src/db/transaction.ts';
import { createDatabase } from '../../support/database.ts';
import { createFleet } from '../../support/fleet.ts';
import { SHAPE_SCHEMA } from '../../support/shape-schema.ts';
import { CHANGES } from './changes.ts';

const major = Math.floor(inject('serverVersion') / 10_000);

function createShaped(schema: string): string {
  return `CREATE SCHEMA "${schema}"; SET search_path TO "${schema}", public; ${SHAPE_SCHEMA}; RESET search_path`;
}

async function allShapes(database: Database, ...schemas: string[]): Promise<Shape[]> {
  const shapes: Shape[] = [];
  for await (const shape of readShapes(database, schemas)) shapes.push(shape);
  return shapes;
}

test('each change of a schema is seen as exactly that', async () => {
  const server = await createDatabase();
  const database = await server.open();
  await server.query(`CREATE TABLE public.users (id int PRIMARY KEY); ${createShaped('shaped')}`);
  const [reference] = await allShapes(database, 'shaped');
  if (reference === undefined) throw new Error('no shape');
  const seen: Record<string, readonly string[]> = {};
  const changes = CHANGES.filter(({ since = 0 }) => since <= major);
  for (const { sql } of changes) {
    const reading = withTransaction(
      database,
      { searchPath: ['shaped', 'public'] },
      [],
      async (transaction) => {
        transaction.abandon();
        const { client } = transaction;
        await client.query(sql);
        const differences = compareShapes(reference, await readShape(client, 'shaped', database));
        return differences.map(({ kind, name, difference }) => `${difference} ${kind} ${name}`);
      },
    );
    seen[sql] = await reading.catch((error: unknown) => [String(error)]);
  }
  expect(seen).toEqual(Object.fromEntries(changes.map(({ sql, seen }) => [sql, seen])));
  const kinds = new Set(changes.flatMap((change) => change.seen.map((each) => each.replace(/^\w+ /, ''))));
  expect(kinds.size).toBeGreaterThan(40);
});

test('when a column got its type, which newer servers note in its options, is not part of its shape', async () => {
  const server = await createDatabase();
  const database = await server.open();
  await server.query(createShaped('shaped'));
  const before = await allShapes(database, 'shaped');
  // As those servers do: for all columns but those of indexes.
  await server.query(`UPDATE pg_attribute SET attoptions = ARRAY['pg_attver=' || attnum] || attoptions
    WHERE attnum > 0 AND attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'shaped'::regnamespace AND relkind NOT IN ('i', 'I'))`);
  expect(await allShapes(database, 'shaped')).toEqual(before);
  await server.query(
    `UPDATE pg_attribute SET attoptions = attoptions || '{n_distinct=5}' WHERE attoptions::text = '{pg_attver=1}'`,
  );
  expect(JSON.stringify(await allShapes(database, 'shaped'))).toContain("SET (n_distinct='5')");
});

test('the name of the schema is not part of its shape', async () => {
  const server = await createDatabase();
  const database = await server.open();
  const names = ['tid_0123456789', 'Acme "Inc."', 'renamed_before'];
  for (const name of names) await server.query(createShaped(name.replaceAll('"', '""')));
  await server.query('ALTER SCHEMA renamed_before RENAME TO tid_9876543210');
  // PostgreSQL keeps the search path of a function as it was written.
  await server.query(`ALTER FUNCTION tid_9876543210.touch() SET search_path = tid_9876543210, public`);
  const shapes = await allShapes(database, ...names.slice(0, 2), 'tid_9876543210', 'absent');
  const [first, ...others] = shapes;
  if (first === undefined) throw new Error('no shape');
  expect(others.flatMap((other) => compareShapes(first, other))).toEqual([]);
  expect(new Set(shapes.map(({ digest }) => digest)).size).toBe(1);
  expect(shapes.map(({ schema }) => schema)).toEqual([...names.slice(0, 2), 'tid_9876543210']);
  expect(JSON.stringify(first.objects)).not.toMatch(/tid_/);
});

test('the settings of the server are not part of a shape', async () => {
  const server = await createDatabase();
  await server.query(`CREATE SCHEMA timed; SET search_path TO timed;
    CREATE TABLE hours (at timestamptz DEFAULT '2025-01-01 00:00:00+00', b bytea DEFAULT '\\x00', f float8 DEFAULT 0.1) PARTITION BY RANGE (at);
    CREATE TABLE hours_2025 PARTITION OF hours FOR VALUES FROM ('2025-01-01 00:00:00+00') TO (MAXVALUE); RESET search_path`);
  const shapes: Shape[] = [];
  for (const zone of ['Asia/Tokyo', 'UTC']) {
    await server.query(
      `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET timezone TO %L', current_database(), '${zone}'); END $$`,
    );
    shapes.push(...(await allShapes(await server.open(), 'timed')));
  }
  expect(shapes[1]?.objects).toEqual(shapes[0]?.objects);
});

test('schemas with equal imprints have equal shapes, whatever names are in them', async () => {
  const server = await createDatabase();
  const database = await server.open();
  const create = (schema: string, sql: string) =>
    server.query(
      `CREATE SCHEMA ${identifier(schema)}; SET search_path TO ${identifier(schema)}; ${sql}; RESET search_path`,
    );
  const says = (text: string) => `CREATE FUNCTION says() RETURNS text LANGUAGE sql AS $f$SELECT '${text}'$f$`;
  const schemas: Record<string, string> = {
    // The same shape, and the same imprint.
    tid_a: says('tid_a, tid_a.x'),
    tid_b: says('tid_b, tid_b.x'),
    // The same shape; a text with other letters, or a name that needs quotes, is read.
    tid_c: `${says('tid_c, tid_c.x')}; COMMENT ON FUNCTION says() IS 'é tid_c'`,
    tid_d: `${says('tid_d, tid_d.x')}; COMMENT ON FUNCTION says() IS 'é tid_d'`,
    'Tid e': says('"Tid e", "Tid e".x'),
    // Other shapes: parts of words, names of objects, and what stands for the name.
    tid_f: says('tid_fx'),
    tid_g: says('tid_gx'),
    tid_h: 'CREATE TABLE tid_h ()',
    tid_i: 'CREATE TABLE tid_i ()',
    'Tid "l"': says('"Tid ""l"""'),
    tid_m: says('"Tid ""l"""'),
    tid_j: says('\u0001'),
    tid_k: says('tid_k'),
  };
  for (const [schema, sql] of Object.entries(schemas)) await create(schema, sql);
  const names = Object.keys(schemas);
  const imprints = new Map<string, string>();
  for await (const { schema, imprint } of readImprints(database, names)) imprints.set(schema, imprint);
  const shapes = await allShapes(database, ...names);
  const digests = new Map(shapes.map(({ schema, digest }) => [schema, digest]));
  const pairs = names.flatMap((a) => names.filter((b) => a < b).map((b) => [a, b] as const));
  const alike = (by: ReadonlyMap<string, string>) =>
    pairs.filter(([a, b]) => by.get(a) === by.get(b)).map((pair) => pair.join(' '));
  expect(alike(imprints)).toEqual(['tid_a tid_b']);
  expect(alike(digests).toSorted()).toEqual(
    ['tid_a tid_b', 'Tid "l" tid_k', 'Tid e tid_a', 'Tid e tid_b', 'tid_c tid_d'].toSorted(),
  );
});

test('an empty schema has a shape, and an absent one has none', async () => {
  const server = await createDatabase();
  const database = await server.open();
  await server.query('CREATE SCHEMA empty');
  const shapes = await allShapes(database, 'empty', 'absent');
  expect(shapes.map(({ schema, objects }) => ({ schema, objects }))).toEqual([
    { schema: 'empty', objects: [] },
  ]);
});

test('tenants that the same migrations made have the same digest', async () => {
  const { database } = await createFleet(['org_a', 'org_b']);
  const [a, b] = await allShapes(database, schemaNameFor('org_a'), schemaNameFor('org_b'));
  expect(b?.objects).toEqual(a?.objects);
  expect(b?.digest).toBe(a?.digest);
  expect(a?.objects.map(({ name }) => name)).toContain('notes.id');
});

test('a schema that its dump has made has the same shape', async () => {
  const server = await createDatabase();
  const database = await server.open();
  await server.query(createShaped('shaped'));
  const [original] = await allShapes(database, 'shaped');
  if (original === undefined) throw new Error('no shape');
  const dump = renderShape(original);
  await server.query(`${dump}; RESET search_path; RESET check_function_bodies`);
  const [copy] = await allShapes(database, 'tenant_schema');
  if (copy === undefined) throw new Error('no copy');
  expect(compareShapes(original, copy)).toEqual([]);
  expect(copy.digest).toBe(original.digest);
  expect(renderShape(copy)).toBe(dump);
});
