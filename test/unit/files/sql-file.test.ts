import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseSqlMigration } from '../../../src/core/files/sql-file.ts';
import { fromFirstWord, splitStatements } from '../../../src/core/files/parse-sql.ts';

const parse = (text: string) => parseSqlMigration(text, '1_a.sql');

test('the two sections are read apart, in a transaction unless they say otherwise', async () => {
  expect(await parse('-- migrate:up\nCREATE TABLE a ();\n\n-- migrate:down\nDROP TABLE a;\n')).toEqual({
    up: 'CREATE TABLE a ();',
    down: 'DROP TABLE a;',
    lines: { up: 2, down: 5 },
    upInTransaction: true,
    downInTransaction: true,
    allowOutside: [],
    allowUnparsed: false,
  });
});

test('transaction:false holds for the section that it stands at', async () => {
  const parsed = await parse('-- migrate:up transaction:false\nSELECT 1\n-- migrate:down\nSELECT 2');
  expect(parsed).toMatchObject({ upInTransaction: false, downInTransaction: true });
  const other = await parse(
    '-- migrate:up transaction:true\nSELECT 1\n-- migrate:down  transaction:false \nSELECT 2',
  );
  expect(other).toMatchObject({ upInTransaction: true, downInTransaction: false });
});

test('allow-outside names what either section reaches, beside transaction:false', async () => {
  const parsed = await parse(
    '-- migrate:up allow-outside:public.a,public.b transaction:false\nSELECT 1\n-- migrate:down allow-outside:audit.*\nSELECT 2',
  );
  expect(parsed).toMatchObject({
    upInTransaction: false,
    downInTransaction: true,
    allowOutside: ['public.a', 'public.b', 'audit.*'],
  });
  await expect(parse('-- migrate:up allow-outside\nSELECT 1')).rejects.toThrow('an unknown option');
});

test('who types an option wrongly is told which there are', async () => {
  await expect(parse('-- migrate:up transactions:off\nSELECT 1')).rejects.toThrow(
    expect.objectContaining({ hint: expect.stringMatching(/transaction:false.*allow-outside:/) }),
  );
});

test('a file without a down section has no way back; an empty one is a way back that does nothing', async () => {
  expect((await parse('-- migrate:up\nSELECT 1')).down).toBeUndefined();
  expect((await parse('-- migrate:up\nSELECT 1\n-- migrate:down\n')).down).toBe('');
});

test('line ends within the SQL stay as they are: they may stand in a literal', async () => {
  expect((await parse("-- migrate:up\r\nSELECT 'a\r\nb';\r\n")).up).toBe("SELECT 'a\r\nb';");
});

test.for([
  ['a function', 'CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $body$\n$$\n%\n$body$;'],
  ['an anonymous block', 'DO $$BEGIN\n%\nEND$$;'],
  ['a string', "INSERT INTO a VALUES ('it''s\n%\n');"],
  ['a string with escapes', "INSERT INTO a VALUES (E'it\\'s\n%\n');"],
  ['a string that goes on', "SELECT E'a'\n  'c\\'\n%\n';"],
  ['a quoted name', 'CREATE TABLE "a""b\n%\n" ();'],
  ['a comment', 'SELECT 1; /* a /* nested */\n%\n*/'],
] as const)('a marker within %s is text', async ([, sql]) => {
  const up = sql.replace('%', '-- migrate:down');
  expect(await parse(`-- migrate:up\n${up}\n-- migrate:down\nSELECT 2;`)).toMatchObject({
    up,
    down: 'SELECT 2;',
  });
});

test.for([
  "-- don't be fooled",
  'SELECT 1 -- " $$ /*',
  "SELECT a$b$c, $1, e'x', nameE'\\'",
  "SELECT '\\' -- a backslash is no escape here",
  "SELECT 'a' /* ' */ , U&'\\0061', B'1'",
])('a marker behind what only looks like a beginning is one: %s', async (up) => {
  expect(await parse(`-- migrate:up\n${up}\n-- migrate:down\nSELECT 2;`)).toMatchObject({
    up,
    down: 'SELECT 2;',
  });
});

test('a string may have any control character but NUL', async () => {
  const up = `SELECT '${String.fromCharCode(...Array.from({ length: 31 }, (_, at) => at + 1))}'\f, 1;`;
  expect(await parse(`-- migrate:up\n${up}\n-- migrate:down\nSELECT 2;`)).toMatchObject({
    up,
    down: 'SELECT 2;',
  });
});

test.for(["SELECT 'a", 'SELECT $$ a', 'SELECT 1 /* a /* b */', 'SELECT "a', "SELECT E'a\\'"])(
  'a marker that is swallowed by what is never ended is a mistake: %s',
  async (up) => {
    await expect(parse(`-- migrate:up\n${up}\n-- migrate:down\nSELECT 2;`)).rejects.toThrow(
      'it has a string, a quoted name or a comment that is not ended',
    );
  },
);

test('the down section may come first; Windows line ends and a byte order mark do not matter', async () => {
  const parsed = await parse(
    '\uFEFF-- a comment\r\n-- migrate:down\r\nDROP TABLE a;\r\n--MIGRATE:UP\r\nSELECT 1;',
  );
  expect(parsed).toMatchObject({ up: 'SELECT 1;', down: 'DROP TABLE a;' });
});

test.each([
  ['CREATE TABLE a ();\n-- migrate:up\n', 'SQL before its "-- migrate:up" line'],
  ['', 'no "-- migrate:up" line'],
  ['-- migrate:down\nSELECT 1', 'no "-- migrate:up" line'],
  ['-- migrate:up\n-- migrate:up\n', 'two "-- migrate:up" lines'],
  ['-- migrate:up transactoin:false\n', 'an unknown option: "transactoin:false"'],
])('%j is refused: %s', async (text, reason) => {
  await expect(parse(text)).rejects.toThrow(reason);
});

const FILE = {
  file: { name: 'a.sql', stem: 'a', path: '/a.sql', format: 'sql' },
  text: '',
  allowUnparsed: false,
} as const;

test('statements are cut where PostgreSQL would cut them, not at every semicolon', async () => {
  const statements = [
    `INSERT INTO a VALUES ('x;y', E'\\';', "b;")`,
    'CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN PERFORM 1; RETURN 2; END; $body$',
    'SELECT 1 /* ; /* nested ; */ */',
    `SELECT 'größer; 𝔘' AS "ß"`,
    'CREATE INDEX CONCURRENTLY i ON a (x)',
  ];
  const text = `${statements.join(';\n-- a; comment\n')};`;
  expect((await splitStatements(text, FILE, 'up')).map((each) => each.text)).toEqual(statements);
});

test('literals of any content are cut right', async () => {
  const literal = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\u0000'));
  await fc.assert(
    fc.asyncProperty(fc.array(literal, { minLength: 1, maxLength: 5 }), async (texts) => {
      const statements = texts.map((text) => `SELECT '${text.replaceAll("'", "''")}' AS x`);
      const split = await splitStatements(statements.join(';'), FILE, 'up');
      expect(split.map(({ text }) => text)).toEqual(statements);
    }),
    { numRuns: 50 },
  );
});

test('a text that does not parse is refused with the file named', async () => {
  await expect(splitStatements('SELEC 1', FILE, 'up')).rejects.toMatchObject({
    code: 'MIGRATION_INVALID',
    migration: 'a.sql',
  });
});

test('with allowUnparsed, what this parser cannot read is cut by its tokens', async () => {
  const statements = [
    "CREATE TABLE a (system_user text DEFAULT ';') WITH OIDS",
    `SELECT 'größer; 𝔘' AS "ß;", 5 !`,
    'CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END',
    'CREATE RULE r AS ON INSERT TO a DO (SELECT 1; SELECT 2)',
  ];
  const text = `/* ; */ ${statements.join(';\n-- a; comment\n')};`;
  const split = await splitStatements(text, { ...FILE, allowUnparsed: true }, 'up');
  expect(split.map((each) => fromFirstWord(each.text))).toEqual(statements);
  expect(split.map(({ problem }) => problem)).toEqual([
    'syntax error at or near "system_user"',
    'syntax error at end of input',
    undefined,
    undefined,
  ]);
  expect(split.map(({ offset, text: part }) => text.slice(offset, offset + part.length))).toEqual(
    split.map((each) => each.text),
  );
});
