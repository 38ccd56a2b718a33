import type { PoolClient } from 'pg';
import { identifier, literal, qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { listed } from '../../wording.ts';
import { lockTableOf } from '../target/history.ts';
import type { Content, ContentTable, MaterializedView, SequenceValue } from './content.ts';
import { loadOrder, type Reference } from './load-order.ts';

interface TableFacts extends ContentTable {
  /** The topmost partitioned table, or the table itself. */
  readonly root: string;
  /** Columns that may hold the numbers of large objects: their type is oid, or a domain over it, such as lo. */
  readonly oids: readonly string[];
}

interface Facts {
  readonly tables: readonly TableFacts[];
  /** Between roots. */
  readonly references: readonly Reference[];
  readonly sequences: readonly string[];
  readonly views: readonly MaterializedView[];
  readonly foreign: readonly string[];
  /** Tables here that inherit from a table elsewhere, or have a partition there, each with its partner's name. */
  readonly inherited: readonly { readonly name: string; readonly elsewhere: string }[];
  /** Relations whose rows this role may not read, or not all of them. */
  readonly unreadable: readonly string[];
}

/**
 * What a copy of the schema consists of, in the caller's transaction. Sequences are read after the transaction's
 * snapshot was taken, if it has one: no row of the snapshot has a number that a sequence hands out again.
 * @throws TenantctlError CONTENT_UNSUPPORTED if there is something that cannot be copied, RIGHTS_MISSING, SCHEMA_MISSING
 */
export async function readContent(client: PoolClient, schema: string, names: Names): Promise<Content> {
  const { rows } = await client.query<{ facts: Facts | null }>(FACTS, [
    schema,
    lockTableOf(names.tenantHistory),
  ]);
  const facts = rows[0]?.facts ?? undefined;
  if (facts === undefined)
    throw new TenantctlError('SCHEMA_MISSING', `The schema ${schema} does not exist.`, {
      hint: 'tenantctl doctor says what to do about it.',
    });
  assertReadable(schema, facts);
  const problems = [...problemsOf(facts), ...(await largeObjects(client, schema, facts))];
  if (problems.length > 0) throw notCopied(schema, problems);
  const tables = Map.groupBy(facts.tables, ({ root }) => root);
  return {
    tables: loadOrder([...tables.keys()], facts.references).flatMap((root) =>
      (tables.get(root) ?? []).map(({ name, columns }) => ({ name, columns })),
    ),
    sequences: await readSequences(client, schema, facts.sequences),
    materializedViews: facts.views,
  };
}

function assertReadable(schema: string, { unreadable }: Facts): void {
  if (unreadable.length === 0) return;
  throw new TenantctlError(
    'RIGHTS_MISSING',
    `This role may not read all rows of ${listed(unreadable)} in ${schema}.`,
    {
      hint: 'Connect as the owner of the tables, or grant this role SELECT on them. If a table has FORCE ROW LEVEL SECURITY, the role needs BYPASSRLS.',
    },
  );
}

function problemsOf({ foreign, inherited }: Facts): string[] {
  return [
    ...foreign.map((name) => `${name} is a foreign table: its rows are on another server.`),
    ...inherited.map(
      ({ name, elsewhere }) => `${name} shares its rows with ${elsewhere}, which is outside the schema.`,
    ),
  ];
}

function notCopied(schema: string, problems: readonly string[]): TenantctlError {
  return new TenantctlError(
    'CONTENT_UNSUPPORTED',
    problems.length === 1
      ? `${schema} cannot be copied: ${problems[0]}`
      : `${schema} cannot be copied, for ${problems.length} reasons.`,
    {
      details: problems.length === 1 ? undefined : problems,
      hint: 'A copy holds the rows that are in the schema itself. Move these rows into ordinary tables of the schema (a large object into a bytea column), by a migration.',
    },
  );
}

/** The table of large objects is readable for all: https://www.postgresql.org/docs/current/catalog-pg-largeobject-metadata.html */
async function largeObjects(client: PoolClient, schema: string, { tables }: Facts): Promise<string[]> {
  const selects = tables.flatMap(({ name, oids }) =>
    oids.map(
      (column) => `SELECT ${literal(`${name}.${column}`)} AS name WHERE EXISTS (
        SELECT FROM ONLY ${qualified(schema, name)} t JOIN pg_largeobject_metadata o ON o.oid = t.${identifier(column)})`,
    ),
  );
  if (selects.length === 0) return [];
  const { rows } = await client.query<{ name: string }>(selects.join(' UNION ALL '));
  return rows.map(({ name }) => `${name} refers to large objects, which belong to no schema.`);
}

async function readSequences(
  client: PoolClient,
  schema: string,
  names: readonly string[],
): Promise<SequenceValue[]> {
  if (names.length === 0) return [];
  const selects = names.map(
    (name) =>
      `SELECT ${literal(name)} AS name, last_value::text AS "lastValue", is_called AS "isCalled" FROM ${qualified(schema, name)}`,
  );
  const { rows } = await client.query<SequenceValue>(selects.join(' UNION ALL '));
  return rows;
}

/** $1 schema, $2 Knex's lock table. NULL if there is no such schema. */
const FACTS = `
  WITH RECURSIVE relations AS (
    SELECT c.oid, c.relname::text AS name, c.relkind, c.relispartition, c.relispopulated, c.relnamespace,
           CASE WHEN c.relispartition THEN pg_partition_root(c.oid)::oid ELSE c.oid END AS root
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'f', 'S', 'm') AND c.relname <> $2
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                      AND (d.deptype = 'e' OR d.deptype = 'a' AND c.relkind = 'S' AND d.refclassid = 'pg_class'::regclass
                           AND d.refobjid = (SELECT k.oid FROM pg_class k WHERE k.relnamespace = n.oid AND k.relname = $2)))
  ), columns AS (
    SELECT a.attrelid, a.attnum, a.attname::text AS name, a.atttypid AS type
    FROM relations r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
  ), bases AS (
    SELECT DISTINCT type, type AS base FROM columns
    UNION ALL
    SELECT b.type, t.typbasetype FROM bases b JOIN pg_type t ON t.oid = b.base AND t.typtype = 'd'
  ), tables AS (
    SELECT r.name, o.name AS root, t.columns, t.oids
    FROM relations r JOIN relations o ON o.oid = r.root, LATERAL (
      SELECT coalesce(json_agg(c.name ORDER BY c.attnum), '[]') AS columns,
             coalesce(json_agg(c.name ORDER BY c.attnum) FILTER (WHERE EXISTS (
               SELECT FROM bases b WHERE b.type = c.type AND b.base = 'oid'::regtype)), '[]') AS oids
      FROM columns c WHERE c.attrelid = r.oid) t
    WHERE r.relkind = 'r'
  ), uses AS (
    -- A view's rule depends on the relations that the view reads.
    SELECT DISTINCT w.ev_class AS relation, d.refobjid AS used
    FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
      AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> w.ev_class
    JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')
  ), depths AS (
    SELECT oid, oid AS used, 0 AS depth FROM relations WHERE relkind = 'm'
    UNION
    SELECT d.oid, u.used, d.depth + 1 FROM depths d JOIN uses u ON u.relation = d.used
  )
  SELECT CASE WHEN EXISTS (SELECT FROM pg_namespace WHERE nspname = $1) THEN json_build_object(
    'tables', (SELECT coalesce(json_agg(t ORDER BY root COLLATE "C", name COLLATE "C"), '[]') FROM tables t),
    'references', (SELECT coalesce(json_agg(DISTINCT jsonb_build_object('from', fr.name, 'to', tr.name)), '[]')
      FROM pg_constraint k JOIN relations f ON f.oid = k.conrelid JOIN relations t ON t.oid = k.confrelid
        JOIN relations fr ON fr.oid = f.root JOIN relations tr ON tr.oid = t.root
      WHERE k.contype = 'f' AND f.root <> t.root),
    'sequences', (SELECT coalesce(json_agg(name ORDER BY name COLLATE "C"), '[]') FROM relations WHERE relkind = 'S'),
    'views', (SELECT coalesce(json_agg(json_build_object('name', name, 'isPopulated', relispopulated)
                                       ORDER BY depth, name COLLATE "C"), '[]')
      FROM relations r JOIN (SELECT oid, max(depth) AS depth FROM depths GROUP BY oid) d USING (oid)),
    'foreign', (SELECT coalesce(json_agg(name ORDER BY name COLLATE "C"), '[]') FROM relations WHERE relkind = 'f'),
    'inherited', (SELECT coalesce(json_agg(json_build_object('name', m.name, 'elsewhere', o.oid::regclass::text)
                                           ORDER BY m.name COLLATE "C"), '[]')
      FROM pg_inherits i JOIN relations m ON m.oid IN (i.inhrelid, i.inhparent)
        JOIN pg_class o ON o.oid IN (i.inhrelid, i.inhparent) AND o.oid <> m.oid AND o.relnamespace <> m.relnamespace
      WHERE m.oid = i.inhrelid OR m.relkind = 'p'),
    'unreadable', (SELECT coalesce(json_agg(name ORDER BY name COLLATE "C"), '[]') FROM relations r
      WHERE r.relkind IN ('r', 'S') AND (NOT has_schema_privilege(r.relnamespace, 'USAGE')
        OR CASE r.relkind WHEN 'S' THEN NOT has_sequence_privilege(r.oid, 'SELECT')
           ELSE NOT has_table_privilege(r.oid, 'SELECT') OR row_security_active(r.oid) END))
  ) END AS facts`;
