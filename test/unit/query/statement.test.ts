import { expect, test } from 'vitest';
import { parseQuery } from '../../../src/core/query/statement.ts';

test.each([
  ['SELECT 1', 'SELECT 1'],
  ['  -- how many?\n SELECT count(*) FROM users -- all\n;\n', 'SELECT count(*) FROM users -- all'],
  ['SELECT \'ü; COMMIT\', "é" FROM t;', 'SELECT \'ü; COMMIT\', "é" FROM t'],
  ['VALUES (1), (2)', 'VALUES (1), (2)'],
  ['TABLE users', 'TABLE users'],
  ['WITH a AS (SELECT 1) SELECT * FROM a', 'WITH a AS (SELECT 1) SELECT * FROM a'],
  ['SHOW search_path', 'SHOW search_path'],
  ['EXPLAIN (ANALYZE, BUFFERS) SELECT 1', 'EXPLAIN (ANALYZE, BUFFERS) SELECT 1'],
])('%j is a query', async (text, query) => {
  expect(await parseQuery(text)).toContain(query);
});

test.each([
  ['', 'is empty'],
  ['-- nothing', 'is empty'],
  [';', 'is empty'],
  ['SELEC 1', 'does not parse: syntax error'],
  ['\\d users', 'does not parse'],
  ['SELECT 1; SELECT 2', 'has 2 statements'],
  ['SELECT 1; COMMIT; DROP TABLE users', 'has 3 statements'],
  ['COMMIT', 'is not a query'],
  ['BEGIN', 'is not a query'],
  ['ROLLBACK AND CHAIN', 'is not a query'],
  ['SET TRANSACTION READ WRITE', 'is not a query'],
  ['SET search_path TO other', 'is not a query'],
  ['RESET ALL', 'is not a query'],
  ['DISCARD ALL', 'is not a query'],
  ['SET ROLE postgres', 'is not a query'],
  ['DO $$ BEGIN COMMIT; END $$', 'is not a query'],
  ['CALL leave()', 'is not a query'],
  ["COPY users TO PROGRAM 'sh'", 'is not a query'],
  ['COPY users TO STDOUT', 'is not a query'],
  ['LISTEN x', 'is not a query'],
  ['PREPARE p AS SELECT 1', 'is not a query'],
  ['EXECUTE p', 'is not a query'],
  ['DECLARE c CURSOR WITH HOLD FOR SELECT 1', 'is not a query'],
  ['LOCK TABLE users', 'is not a query'],
  ['INSERT INTO users DEFAULT VALUES', 'is not a query'],
  ['CREATE TABLE t AS SELECT 1', 'is not a query'],
  ['EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1', 'is not a query'],
  ['EXPLAIN ANALYZE DELETE FROM users', 'is not a query'],
  ['EXPLAIN ANALYZE EXECUTE p', 'is not a query'],
  ['SELECT 1 AS x INTO t', 'SELECT INTO'],
  ['WITH d AS (DELETE FROM users RETURNING *) SELECT * FROM d', 'contains DELETE'],
  ['SELECT * FROM (WITH i AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1) q', 'contains INSERT'],
  ['EXPLAIN ANALYZE WITH i AS (INSERT INTO t VALUES (1) RETURNING 1) SELECT 1', 'contains INSERT'],
  ['SELECT * FROM (SELECT * FROM users FOR UPDATE) q', 'locks rows'],
  ['SELECT $1', 'has a parameter'],
])('%j is refused: it %s', async (text, problem) => {
  await expect(parseQuery(text)).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining(problem),
  });
});
