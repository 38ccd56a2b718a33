import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { INIT_SQL } from './init-sql.ts';
import { createTable } from './project.ts';
import { standingFleet, type StandingFleet } from './standing-fleet.ts';
import { contentsOfSchemas } from './tenant-content.ts';
import { createTwins, preparation, twinNames, twinsOn, type Twins } from './twins.ts';

/**
 * Five tenants and their twins. The first two are alike, so only the migration itself shows that it may act
 * differently on the third (has rows), the fourth (has another table) and the fifth (other rows, a missing
 * column).
 */
export function fiveTenants(): Promise<Twins> {
  return createTwins(5, prepare);
}

function prepare(nth: number): string {
  if (nth < 2) return 'ALTER TABLE notes ADD body text';
  if (nth === 2)
    return `ALTER TABLE notes ADD body text; INSERT INTO notes VALUES (1, 'a'), (2, 'b'), (3, 'c')`;
  if (nth === 3) return 'ALTER TABLE notes ADD body text; CREATE TABLE extra (id int)';
  return 'INSERT INTO tags VALUES (7)';
}

/** The ways of five tenants if each was migrated as Knex would. */
export const ALL_INTERACTIVE = Array.from({ length: 5 }, () => 'interactively' as const);

/** The ways of five tenants if the first two showed what to send the others. */
export const THREE_IN_ONE_STRING = [
  'interactively',
  'interactively',
  'in one string',
  'in one string',
  'in one string',
] as const;

const SCHEMAS = Object.values(twinNames(5)).flat().map(schemaNameFor);

const FILES = {
  'package.json': '{"type":"module"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/tenants/1_notes.sql': createTable('notes'),
  'migrations/tenants/2_tags.sql': createTable('tags'),
};

/**
 * Five tenants and their twins for all tests of a file: call it at the top. The returned function writes one
 * migration to test under its own name; the tenants are restored when the test ends.
 */
export function useFiveTenants(): (text: string) => Promise<{ twins: Twins; file: string }> {
  let standing: StandingFleet | undefined;
  let twins: Twins | undefined;
  let before: string[][] = [];
  let number = 0;
  const contents = (of: Twins) => contentsOfSchemas(of.fleet, ['public', ...SCHEMAS]);
  beforeAll(async () => {
    standing = await standingFleet(Object.values(twinNames(5)).flat(), FILES);
    twins = await twinsOn(standing.fleet, 5, prepare);
    before = await contents(twins);
  });
  afterAll(() => standing?.close());
  return async (text) => {
    if (twins === undefined) throw new Error('The fleet is there for tests only.');
    const shared = twins;
    number += 1;
    // Node loads a file only once.
    const file = `3_test_${number}.js`;
    await shared.fleet.add(file, text);
    onTestFinished(async () => {
      await shared.fleet.project.remove(`migrations/tenants/${file}`);
      await shared.fleet.query(
        [...SCHEMAS.map(emptied), preparation(5, prepare), 'TRUNCATE watch.writes'].join('\n'),
      );
      expect(await contents(shared), 'the tenants, made again what they were').toEqual(before);
    });
    return { twins: shared, file };
  };
}

/** SQL that drops what migrations create in a schema, forgets the third one, and repeats the first two. */
function emptied(schema: string): string {
  return `DO $empty$ DECLARE statement text; BEGIN
      FOR statement IN
        SELECT format('DROP %s IF EXISTS %s CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                      WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, oid::regclass)
        FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
          AND relname NOT LIKE 'knex\\_migrations\\_tenant%'
        UNION ALL
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure) FROM pg_proc
        WHERE pronamespace = '${schema}'::regnamespace AND proname NOT LIKE 'tenantctl\\_unstamp%'
        UNION ALL
        SELECT format('DROP TYPE IF EXISTS %s CASCADE', oid::regtype) FROM pg_type
        WHERE typnamespace = '${schema}'::regnamespace AND typtype IN ('e', 'd')
      LOOP EXECUTE statement; END LOOP;
    END $empty$;
    SET search_path TO ${schema};
    DELETE FROM knex_migrations_tenant WHERE name LIKE '3%';
    CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE tags (id int PRIMARY KEY);`;
}
