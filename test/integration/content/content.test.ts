import { pipeline } from 'node:stream/promises';
import { buffer } from 'node:stream/consumers';
import { escapeIdentifier, type PoolClient } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { expect, onTestFinished, test } from 'vitest';
import { copyContent } from '../../../src/core/content/copy-content.ts';
import { copyInStatement, copyOutStatement } from '../../../src/core/content/copy-table.ts';
import { loadContent } from '../../../src/core/content/load-content.ts';
import { measureContent } from '../../../src/core/content/measure-content.ts';
import type { MaskPlan } from '../../../src/core/content/plan-mask.ts';
import { readContent } from '../../../src/core/content/read-content.ts';
import { contentSettings } from '../../../src/core/content/text-form.ts';
import type { Database } from '../../../src/db/database.ts';
import { openDatabase } from '../../../src/db/open.ts';
import { withTransaction } from '../../../src/db/transaction.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';
import { createDatabase } from '../../support/database.ts';
import { EVERY_KIND, NOT_VALID, ROWS_OF_EVERY_KIND } from '../../support/every-kind.ts';
import { createOwner } from '../../support/role.ts';

const SOURCE = 'tid_source';
const TARGET = 'Odd "Target"';

/** A database whose schemas belong to a role that is no superuser. */
async function ownedDatabase() {
  const testDatabase = await createDatabase();
  const { name } = await createOwner(testDatabase, 'secret');
  const settings = { ...testDatabase.settings, user: name, password: 'secret' };
  const owners = await openDatabase(settings, { maxConnections: 4 });
  onTestFinished(() => owners.close());
  const superusers = await testDatabase.open();
  const use = <T>(database: Database, act: (client: PoolClient) => Promise<T>) =>
    withTransaction(database, {}, [], ({ client }) => act(client));
  /** Makes a schema by statements under its own search path. */
  const make = async (schema: string, ...statements: string[]) => {
    const quoted = escapeIdentifier(schema);
    const path = `CREATE SCHEMA IF NOT EXISTS ${quoted}; SET search_path TO ${quoted}, public`;
    await testDatabase.query([`SET SESSION AUTHORIZATION ${name}`, path, ...statements].join(';'));
  };
  return {
    name,
    query: testDatabase.query,
    make,
    asOwner: <T>(act: (client: PoolClient) => Promise<T>) => use(owners, act),
    asSuperuser: <T>(act: (client: PoolClient) => Promise<T>) => use(superusers, act),
  };
}

type Owned = Awaited<ReturnType<typeof ownedDatabase>>;

/** Everything that loading may change but the rows; the schema's name is nowhere in it. */
async function shapeOf({ query }: Owned, schema: string): Promise<string[]> {
  const rows = await query<{ line: string }>(
    `WITH space AS (SELECT oid FROM pg_namespace WHERE nspname = $1),
     mine AS (SELECT c.oid, c.relname, c.relkind FROM pg_class c JOIN space ON relnamespace = space.oid)
     SELECT format('constraint %s.%s %s %s %s %s', relname, conname, replace(pg_get_constraintdef(k.oid), quote_ident($1) || '.', ''), convalidated, coninhcount, obj_description(k.oid, 'pg_constraint')) AS line
     FROM pg_constraint k JOIN mine ON mine.oid = conrelid
     UNION ALL SELECT format('domain %s %s %s', conname, convalidated, obj_description(k.oid, 'pg_constraint'))
     FROM pg_constraint k JOIN space ON connamespace = space.oid WHERE contypid <> 0
     UNION ALL SELECT format('trigger %s %s %s %s', relname, tgname, tgenabled, obj_description(t.oid, 'pg_trigger')) FROM pg_trigger t JOIN mine ON mine.oid = tgrelid
     WHERE NOT tgisinternal OR tgname = 'partitioned'
     UNION ALL SELECT format('rule %s %s %s', relname, rulename, ev_enabled) FROM pg_rewrite JOIN mine ON mine.oid = ev_class
     UNION ALL SELECT format('table %s %s %s %s', relname, relrowsecurity, relforcerowsecurity, relispopulated) FROM pg_class JOIN mine USING (oid, relname)
     UNION ALL SELECT format('sequence %s %s', sequencename, last_value) FROM pg_sequences WHERE schemaname = $1
     ORDER BY 1`,
    [schema],
  );
  return rows.map(({ line }) => line);
}

async function copied(owned: Owned) {
  return owned.asSuperuser(async (client) => {
    await client.query(contentSettings(SOURCE));
    const content = await readContent(client, SOURCE, DEFAULT_NAMES);
    const rows = new Map<string, Buffer>();
    for (const table of content.tables)
      rows.set(table.name, await buffer(client.query(copyTo(copyOutStatement(SOURCE, table)))));
    return { content, rows, measures: await measureContent(client, SOURCE, content) };
  });
}

async function loaded(owned: Owned, { content, rows }: Awaited<ReturnType<typeof copied>>, schema = TARGET) {
  await owned.asOwner((client) =>
    loadContent(client, schema, content, DEFAULT_NAMES, async (table) => {
      await pipeline(
        [rows.get(table.name) ?? Buffer.of()],
        client.query(copyFrom(copyInStatement(schema, table))),
      );
    }),
  );
}

const PLANS = 'CREATE TABLE public.plans (id int PRIMARY KEY); INSERT INTO public.plans VALUES (1), (2)';

test('rows of every kind come back as they were, in a schema of another name, and the schema stays as it was', async () => {
  const owned = await ownedDatabase();
  const { make, asSuperuser } = owned;
  await make('public', PLANS);
  await make(SOURCE, EVERY_KIND, ROWS_OF_EVERY_KIND, NOT_VALID);
  // Rows that the build leaves, such as those that migrations insert, give way.
  await make(
    TARGET,
    EVERY_KIND,
    `INSERT INTO accounts (name) VALUES ('of the build'); INSERT INTO nothing DEFAULT VALUES`,
    NOT_VALID,
  );
  const before = await shapeOf(owned, TARGET);

  const copy = await copied(owned);
  await loaded(owned, copy);
  const after = await asSuperuser((client) => measureContent(client, TARGET, copy.content));
  expect(after).toEqual(copy.measures);
  expect(after.get('users')?.rows).toBe(2n);
  // On each version of PostgreSQL.
  expect(after.get('users')?.hash).toBe('59b78b4a06f6fe101bc9da672d685b0d');
  expect(after.get('nothing')?.rows).toBe(3n);
  expect(after.get('fired')).toEqual(copy.measures.get('fired'));
  expect(
    new Set([...after.values()].filter(({ rows }) => rows > 0n).map(({ hash }) => hash)).size,
  ).toBeGreaterThan(10);

  const shape = await shapeOf(owned, TARGET);
  expect(shape).toEqual(await shapeOf(owned, SOURCE));
  const isFixed = (line: string) =>
    !/^(sequence|table \S* . . )/.test(line) && !/ (z_first|a_second) /.test(line);
  expect(shape.filter(isFixed)).toEqual(before.filter(isFixed));

  // Numbers go on where they were, and triggers fire again.
  await make(TARGET, `INSERT INTO accounts (name) VALUES ('next')`);
  expect(await owned.query(`SELECT id::int FROM "Odd ""Target""".accounts WHERE name = 'next'`)).toEqual([
    { id: 4 },
  ]);
  expect(
    await owned.query(
      `SELECT nextval('"Odd ""Target""".free_numbers')::int AS a, nextval('"Odd ""Target"""."Unused Numbers"')::int AS b`,
    ),
  ).toEqual([{ a: 15, b: 50 }]);
  expect(await owned.query(`SELECT kind::text FROM "Odd ""Target""".users ORDER BY id LIMIT 1`)).toEqual([
    { kind: '"Odd ""Target""".accounts' },
  ]);
});

test('a hash tells each change of a row, and not the order of the rows', async () => {
  const owned = await ownedDatabase();
  const { make, asOwner } = owned;
  await make(SOURCE, 'CREATE TABLE t (a text, b text, c float8)');
  const hashOf = async (...statements: string[]) => {
    await make(SOURCE, 'TRUNCATE t', ...statements);
    return asOwner(async (client) => {
      const content = await readContent(client, SOURCE, DEFAULT_NAMES);
      return (await measureContent(client, SOURCE, content)).get('t')?.hash;
    });
  };
  const row = (values: string) => `INSERT INTO t VALUES (${values})`;
  const hash = await hashOf(row(`'1', NULL, 0.1`), row(`'2', '', 3`), row(`'2', '', 3`));
  expect(hash).toMatch(/^[0-9a-f]{32}$/);
  expect(await hashOf(row(`'2', '', 3`), row(`'1', NULL, 0.1`), row(`'2', '', 3`))).toBe(hash);
  const others = [
    [row(`'1', NULL, 0.1`), row(`'2', '', 3`)],
    [row(`'1', '', 0.1`), row(`'2', '', 3`), row(`'2', '', 3`)],
    [row(`NULL, '1', 0.1`), row(`'2', '', 3`), row(`'2', '', 3`)],
    [row(`'1', NULL, 0.1::float8 + 1e-17`), row(`'2', '', 3`), row(`'2', '', 3.0000000000000004`)],
    [row(`'1', NULL, 0.1`), row(`'1', NULL, 0.1`), row(`'2', '', 3`)],
  ];
  const found = [hash];
  for (const statements of others) found.push(await hashOf(...statements));
  expect(new Set(found).size).toBe(others.length + 1);
  await hashOf(row(`'1', NULL, 0.1`), row(`'2', '', 3`), row(`'2', '', 3`));
  const elsewhere = await asOwner(async (client) => {
    await client.query('SET LOCAL extra_float_digits = -10; SET LOCAL search_path = pg_catalog');
    const content = await readContent(client, SOURCE, DEFAULT_NAMES);
    return (await measureContent(client, SOURCE, content)).get('t')?.hash;
  });
  expect(elsewhere).toBe(hash);
  expect(hash).toBe('03b7a57e1d7bfe6870cc45796141174c');
});

test('what a copy cannot hold is refused by name, all of it at once', async () => {
  const owned = await ownedDatabase();
  const { make, asOwner, query, name } = owned;
  await make(
    'public',
    'CREATE TABLE public.shared (id int); CREATE TABLE public.parts (id int) PARTITION BY LIST (id)',
  );
  await make(
    SOURCE,
    `
    CREATE DOMAIN lo AS oid;
    CREATE TABLE documents (id int, data oid, more lo, "Not a ""lob" oid);
    CREATE TABLE heir () INHERITS (public.shared);
    CREATE TABLE part PARTITION OF public.parts FOR VALUES IN (1);
    CREATE TABLE split (id int) PARTITION BY LIST (id);
    CREATE TABLE public.split_elsewhere PARTITION OF split FOR VALUES IN (1)`,
  );
  const read = () => asOwner((client) => readContent(client, SOURCE, DEFAULT_NAMES));
  await expect(read()).rejects.toMatchObject({
    code: 'CONTENT_UNSUPPORTED',
    details: [
      'heir shares its rows with shared, which is outside the schema.',
      'part shares its rows with parts, which is outside the schema.',
      'split shares its rows with split_elsewhere, which is outside the schema.',
    ],
  });
  await make(
    SOURCE,
    'DROP TABLE heir, part, split CASCADE',
    'INSERT INTO documents VALUES (1, lo_create(0), lo_create(0), 1)',
  );
  await query(`CREATE EXTENSION postgres_fdw; CREATE SERVER away FOREIGN DATA WRAPPER postgres_fdw`);
  await query(`CREATE FOREIGN TABLE ${SOURCE}.far (id int) SERVER away`);
  await expect(read()).rejects.toMatchObject({
    code: 'CONTENT_UNSUPPORTED',
    details: [
      'far is a foreign table: its rows are on another server.',
      'documents.data refers to large objects, which belong to no schema.',
      'documents.more refers to large objects, which belong to no schema.',
    ],
  });
  await make(SOURCE, 'UPDATE documents SET data = NULL, more = NULL');
  await query(`DROP FOREIGN TABLE ${SOURCE}.far`);
  expect((await read()).tables).toEqual([
    { name: 'documents', columns: ['id', 'data', 'more', 'Not a "lob'] },
  ]);

  await make(SOURCE, 'ALTER TABLE documents ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY');
  await query(`CREATE SEQUENCE ${SOURCE}.foreign_sequence; CREATE TABLE ${SOURCE}.theirs ()`);
  await expect(read()).rejects.toMatchObject({
    code: 'RIGHTS_MISSING',
    message: `This role may not read all rows of documents, foreign_sequence, theirs in ${SOURCE}.`,
  });
  expect(name).toMatch(/^dev_/);
  await expect(asOwner((client) => readContent(client, 'tid_absent', DEFAULT_NAMES))).rejects.toMatchObject({
    code: 'SCHEMA_MISSING',
  });
});

test('a schema that lacks something of the copy is left as it is', async () => {
  const owned = await ownedDatabase();
  const { make, query } = owned;
  await make(SOURCE, 'CREATE TABLE a (id serial, b int); CREATE TABLE c (); INSERT INTO a VALUES (1, 1)');
  await make(TARGET, 'CREATE TABLE a (id int); INSERT INTO a VALUES (7)');
  await expect(loaded(owned, await copied(owned))).rejects.toMatchObject({
    code: 'CONTENT_DIFFERS',
    details: ['It has no column a.b.', 'It has no table c.', 'It has no sequence a_id_seq.'],
  });
  expect(await query('SELECT * FROM "Odd ""Target""".a')).toEqual([{ id: 7 }]);
});

test('a copy within the database whose rows are others than those of its source is refused', async () => {
  const { make, asSuperuser } = await ownedDatabase();
  const tables = `CREATE TYPE pair AS (a int, b text); CREATE TABLE kept (p pair); CREATE TABLE pairs (p pair)`;
  await make(SOURCE, tables, `INSERT INTO pairs VALUES (ROW(1, 'x')), (NULL)`);
  await make(TARGET, tables);
  const copy = (masks: MaskPlan = new Map()) =>
    asSuperuser(async (client) => {
      const content = await readContent(client, SOURCE, DEFAULT_NAMES);
      return copyContent(client, { from: SOURCE, to: TARGET, content, names: DEFAULT_NAMES, masks });
    });
  expect(await copy()).toBe(2n);
  // A cast of the type's own has the last word on a value that goes from one type to its namesake.
  await make(
    TARGET,
    `CREATE FUNCTION forget(text) RETURNS pair LANGUAGE sql IMMUTABLE AS $f$ SELECT ROW(NULL::int, substr($1, 4, 1))::pair $f$`,
    'CREATE CAST (text AS pair) WITH FUNCTION forget(text)',
  );
  await expect(copy()).rejects.toMatchObject({
    code: 'ROWS_DIFFER',
    message: 'The rows of pairs are not the same in the copy, which was taken back.',
  });
  const masked = { rule: 'null', allRows: `ONLY ${SOURCE}.pairs` } as const;
  expect(await copy(new Map([['pairs', new Map([['p', masked]])]]))).toBe(2n);
});
