import { describe, expect, test } from 'vitest';
import { raw } from '../../support/guard-deeds.ts';
import { TENANTS, useGuardedFleet } from '../../support/guarded-fleet.ts';

const { migrate, ways } = useGuardedFleet();

/** What a tenant migration may do, all of it in its own schema or to the rows of shared tables. */
const DEEDS: readonly [sentence: string, texts: readonly string[]][] = [
  ['refers to a shared table', ['ALTER TABLE users ADD FOREIGN KEY (country) REFERENCES countries']],
  [
    'refers to a shared table in a new table',
    ['CREATE TABLE stays (country text REFERENCES public.countries ON DELETE CASCADE)'],
  ],
  [
    'gives up a reference to a shared table',
    [
      'ALTER TABLE users ADD CONSTRAINT c FOREIGN KEY (country) REFERENCES countries',
      'ALTER TABLE users DROP CONSTRAINT c',
    ],
  ],
  [
    'drops a table that refers to a shared one',
    ['CREATE TABLE stays (country text REFERENCES countries)', 'DROP TABLE stays'],
  ],
  [
    'drops a column that refers to a shared table',
    ['ALTER TABLE users ADD born text REFERENCES countries', 'ALTER TABLE users DROP born'],
  ],
  [
    'reads and writes rows of shared tables',
    [
      'INSERT INTO plans SELECT 1, name FROM countries LIMIT 1',
      'UPDATE plans SET name = NULL',
      'DELETE FROM plans',
      'SELECT * FROM country_names FOR UPDATE',
    ],
  ],
  ['writes into a schema that is no tenant’s', [`INSERT INTO audit.entries (what) VALUES ('migrated')`]],
  ['counts on a shared sequence', [`SELECT nextval('public.numbers')`]],
  [
    'uses shared types and functions',
    [
      'CREATE TABLE felt (m public.mood, p percent, n int DEFAULT public.one())',
      'INSERT INTO felt DEFAULT VALUES',
    ],
  ],
  [
    'looks at shared tables by a view',
    [
      'CREATE VIEW lands AS SELECT * FROM countries',
      'CREATE MATERIALIZED VIEW named AS SELECT name FROM lands',
      'REFRESH MATERIALIZED VIEW named',
    ],
  ],
  [
    'writes a table anew',
    [
      'ALTER TABLE users ALTER id TYPE bigint',
      'ALTER TABLE users ADD at timestamptz DEFAULT clock_timestamp()',
    ],
  ],
  [
    'makes and drops a table to help itself',
    ['CREATE TABLE helper AS SELECT * FROM users', 'ALTER TABLE users ADD n int', 'DROP TABLE helper'],
  ],
  ['drops what it has', ['ALTER TABLE items DROP "user"', 'DROP TABLE users CASCADE', 'DROP TABLE items']],
  [
    'has functions, triggers and rules of its own',
    [
      `CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO public.plans VALUES (99) ON CONFLICT DO NOTHING; DELETE FROM public.plans; RETURN NULL; END'`,
      'CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION f()',
      `INSERT INTO users VALUES (1)`,
      'CREATE RULE r AS ON DELETE TO users DO INSTEAD NOTHING',
      'DROP RULE r ON users',
      'DROP TRIGGER t ON users',
      'DROP FUNCTION f()',
    ],
  ],
  [
    'has types of its own',
    [
      `CREATE TYPE kind AS ENUM ('a')`,
      `CREATE DOMAIN share AS int CHECK (VALUE > 0)`,
      'CREATE TYPE pair AS (a int, b text)',
      'CREATE TABLE kinds (k kind, s share, p pair)',
      'ALTER DOMAIN share DROP CONSTRAINT share_check',
      'DROP TABLE kinds',
      'DROP TYPE kind, pair',
      'DROP DOMAIN share',
    ],
  ],
  [
    'drops and alters composite types',
    [
      'CREATE TYPE pair AS (a int)',
      'ALTER TYPE pair ADD ATTRIBUTE b int',
      'DROP TYPE pair',
      'CREATE TYPE span AS RANGE (subtype = int)',
      'DROP TYPE span',
    ],
  ],
  [
    'attaches and detaches partitions that refer to a shared table',
    [
      'CREATE TABLE parts (id int, country text REFERENCES countries) PARTITION BY RANGE (id)',
      'CREATE TABLE part_1 (id int, country text REFERENCES countries)',
      'ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES FROM (1) TO (9)',
      'ALTER TABLE parts DETACH PARTITION part_1',
    ],
  ],
  [
    'refers to a shared table in another time zone',
    [`SET LOCAL timezone = 'Asia/Tokyo'`, 'ALTER TABLE users ADD FOREIGN KEY (country) REFERENCES countries'],
  ],
  [
    'has policies and comments',
    [
      'ALTER TABLE users ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY p ON users USING (true)',
      `COMMENT ON TABLE users IS 'people'`,
      `COMMENT ON COLUMN users.name IS 'x'`,
      'DROP POLICY p ON users',
    ],
  ],
  [
    'grants what is its own',
    [
      'GRANT SELECT ON users TO PUBLIC',
      'GRANT UPDATE (name) ON users TO PUBLIC',
      `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      'REVOKE ALL ON FUNCTION f() FROM PUBLIC',
    ],
  ],
  [
    'grants its schema',
    [
      `DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', current_schema()); EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT ON TABLES TO PUBLIC', current_schema()); END $$`,
    ],
  ],
  [
    'has partitions',
    [
      'CREATE TABLE parts (id int, country text REFERENCES countries) PARTITION BY RANGE (id)',
      'CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (1) TO (9)',
      'INSERT INTO parts VALUES (1)',
      'ALTER TABLE parts DETACH PARTITION part_1',
      'DROP TABLE parts',
    ],
  ],
  [
    'has sequences',
    [
      'CREATE SEQUENCE s',
      'ALTER SEQUENCE s RESTART 5',
      `ALTER TABLE users ADD n int DEFAULT nextval('s')`,
      'ALTER TABLE items ADD m serial',
      'ALTER TABLE users DROP n',
      'DROP SEQUENCE s',
    ],
  ],
  [
    'works with what is temporary',
    [
      'CREATE TEMP TABLE scratch (id int PRIMARY KEY)',
      'INSERT INTO scratch VALUES (1)',
      'LOCK TABLE scratch',
      'INSERT INTO users SELECT id FROM scratch',
      'DROP TABLE scratch',
    ],
  ],
  ['locks and empties its tables', ['LOCK TABLE users IN ACCESS EXCLUSIVE MODE', 'TRUNCATE users CASCADE']],
  [
    'puts its checks off',
    [
      'ALTER TABLE items DROP CONSTRAINT items_user_fkey',
      'ALTER TABLE items ADD CONSTRAINT later FOREIGN KEY ("user") REFERENCES users DEFERRABLE INITIALLY DEFERRED',
      'INSERT INTO items ("user") VALUES (7)',
      'INSERT INTO users VALUES (7)',
    ],
  ],
  [
    'catches an error of what it may not do',
    [
      `DO $$ BEGIN BEGIN DROP TABLE public.plans; RAISE 'no'; EXCEPTION WHEN raise_exception THEN CREATE TABLE caught (); END; END $$`,
    ],
  ],
  [
    'decides by what it finds',
    [
      `DO $$ BEGIN IF to_regclass('users') IS NOT NULL THEN ALTER TABLE users ADD found bool; END IF; CREATE TABLE IF NOT EXISTS made (id serial PRIMARY KEY, t text); DROP TABLE made; END $$`,
    ],
  ],
  ['sets its search_path and comes back', ['SET search_path TO public', 'SELECT count(*) FROM countries']],
  ['analyzes', ['INSERT INTO users SELECT n FROM generate_series(1, 50) n', 'ANALYZE users']],
  [
    'makes statistics, operators and text search of its own',
    [
      'CREATE STATISTICS st ON id, name FROM users',
      'CREATE OPERATOR <<<< (leftarg = int, rightarg = int, function = int4pl)',
      'CREATE TEXT SEARCH CONFIGURATION c (COPY = simple)',
      'DROP OPERATOR <<<< (int, int)',
      'DROP TEXT SEARCH CONFIGURATION c',
    ],
  ],
];

const TO_ALL = ['interactively', 'interactively', 'in one string', 'in one string'];

describe.each([
  ['as strings', true, TO_ALL],
  ['statement by statement', false, TENANTS.map(() => 'interactively')],
] as const)('%s', (_, compile, expected) => {
  test.each(DEEDS)('a migration that %s passes with every tenant', async (_sentence, texts) => {
    const result = await migrate(raw(...texts), {}, { compile, concurrency: 1 });
    expect(result.tenants.map(({ outcome, error }) => error?.message ?? outcome)).toEqual(
      TENANTS.map(() => 'migrated'),
    );
    const seen = await ways();
    expect(TENANTS.map((organization) => seen.get(organization))).toEqual(expected);
  });
});
