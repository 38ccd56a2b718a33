import type { TenantNames } from '../../../names.ts';
import type { PoolClient, QueryResultRow } from 'pg';
import { literal } from '../../../db/sql.ts';
import { TenantctlError } from '../../../errors.ts';
import { listed } from '../../../wording.ts';

/**
 * A foreign key between a table of the schema and one outside it, or a table of the schema that inherits from one
 * outside. To drop the table locks the other one against everybody.
 */
interface Tie {
  readonly remove: string;
  /** What makes it as it is now, short of `validate`. */
  readonly restore: string;
  /** What validates a foreign key that is valid: to add it NOT VALID locks the other table for a moment only. */
  readonly validate: string | null;
}

/** What ties a schema to the rest of the database. */
export interface OutsideTies {
  /** How many objects DROP SCHEMA ... CASCADE would drop. It locks each of them. */
  readonly objects: number;
  /** How many locks the server has room for, of all sessions. */
  readonly capacity: number;
  readonly ties: readonly Tie[];
  /** Objects of others, described by PostgreSQL, that CASCADE would drop: views, columns, functions ... */
  readonly dependents: readonly string[];
  /** What leads from outside to tables of the schema, and goes with them: foreign keys, publications. */
  readonly referrers: readonly string[];
}

/** Where the objects of a catalog are: their schema, or that of the table they belong to. */
const NAMESPACES: readonly (readonly [catalog: string, query: string])[] = [
  ['pg_namespace', 'g.objid'],
  ['pg_class', '(SELECT o.relnamespace FROM pg_class o WHERE o.oid = g.objid)'],
  ['pg_type', '(SELECT o.typnamespace FROM pg_type o WHERE o.oid = g.objid)'],
  ['pg_proc', '(SELECT o.pronamespace FROM pg_proc o WHERE o.oid = g.objid)'],
  ['pg_constraint', '(SELECT o.connamespace FROM pg_constraint o WHERE o.oid = g.objid)'],
  ['pg_attrdef', inTable('pg_attrdef', 'adrelid')],
  ['pg_trigger', inTable('pg_trigger', 'tgrelid')],
  ['pg_rewrite', inTable('pg_rewrite', 'ev_class')],
  ['pg_policy', inTable('pg_policy', 'polrelid')],
  ['pg_operator', '(SELECT o.oprnamespace FROM pg_operator o WHERE o.oid = g.objid)'],
  ['pg_opclass', '(SELECT o.opcnamespace FROM pg_opclass o WHERE o.oid = g.objid)'],
  ['pg_opfamily', '(SELECT o.opfnamespace FROM pg_opfamily o WHERE o.oid = g.objid)'],
  ['pg_collation', '(SELECT o.collnamespace FROM pg_collation o WHERE o.oid = g.objid)'],
  ['pg_conversion', '(SELECT o.connamespace FROM pg_conversion o WHERE o.oid = g.objid)'],
  ['pg_statistic_ext', '(SELECT o.stxnamespace FROM pg_statistic_ext o WHERE o.oid = g.objid)'],
  ['pg_ts_config', '(SELECT o.cfgnamespace FROM pg_ts_config o WHERE o.oid = g.objid)'],
  ['pg_ts_dict', '(SELECT o.dictnamespace FROM pg_ts_dict o WHERE o.oid = g.objid)'],
  ['pg_ts_parser', '(SELECT o.prsnamespace FROM pg_ts_parser o WHERE o.oid = g.objid)'],
  ['pg_ts_template', '(SELECT o.tmplnamespace FROM pg_ts_template o WHERE o.oid = g.objid)'],
  ['pg_extension', '(SELECT o.extnamespace FROM pg_extension o WHERE o.oid = g.objid)'],
];

/** They have no schema, and go with what they belong to. */
const PARTS = [
  'pg_amop',
  'pg_amproc',
  'pg_cast',
  'pg_default_acl',
  'pg_publication_rel',
  'pg_publication_namespace',
  'pg_transform',
];

function inTable(catalog: string, table: string): string {
  return `(SELECT c.relnamespace FROM ${catalog} o JOIN pg_class c ON c.oid = o.${table} WHERE o.oid = g.objid)`;
}

/**
 * Follows pg_depend from the schema, as CASCADE does (https://www.postgresql.org/docs/current/catalog-pg-depend.html).
 * Parameter: the schema's name. Indexes: hash joins would read all of pg_depend in each step.
 */
const SELECT_TIES = `
  WITH RECURSIVE going AS (
    SELECT 'pg_namespace'::regclass::oid AS classid, n.oid AS objid, 0 AS objsubid FROM pg_namespace n WHERE n.nspname = $1
    UNION
    SELECT d.classid, d.objid, d.objsubid FROM going g
    JOIN pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
  ), own AS (SELECT n.oid FROM pg_namespace n WHERE n.nspname = $1
  ), located AS MATERIALIZED (
    SELECT g.*, CASE ${NAMESPACES.map(([catalog, query]) => `WHEN g.classid = '${catalog}'::regclass THEN ${query}`).join('\n      ')}
      WHEN g.classid IN (${PARTS.map((catalog) => `to_regclass('pg_catalog.${catalog}')`).join(', ')}) THEN own.oid END AS namespace,
      own.oid AS own
    FROM going g, own
  ), keys AS (
    SELECT format('%I.%I', tn.nspname, t.relname) AS altered, k.oid, k.conname, pg_get_constraintdef(k.oid) AS definition,
           obj_description(k.oid, 'pg_constraint') AS comment,
           -- Before PostgreSQL 18, a partitioned table takes no foreign key that is NOT VALID.
           k.convalidated AND t.relkind = 'r' AS "isValid", t.relnamespace <> l.own AS "isReferrer"
    FROM located l JOIN pg_constraint k ON l.classid = 'pg_constraint'::regclass AND k.oid = l.objid AND k.contype = 'f'
    JOIN pg_class t ON t.oid = k.conrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_class r ON r.oid = k.confrelid
    WHERE k.conparentid = 0 AND (t.relnamespace = l.own) <> (r.relnamespace = l.own)
  ), parents AS (
    SELECT t.relispartition, format('%I.%I', tn.nspname, t.relname) AS own, format('%I.%I', pn.nspname, p.relname) AS parent,
           pg_get_expr(t.relpartbound, t.oid) AS bound
    FROM located l JOIN pg_inherits i ON l.classid = 'pg_class'::regclass AND i.inhrelid = l.objid AND l.objsubid = 0
    JOIN pg_class t ON t.oid = i.inhrelid AND t.relkind IN ('r', 'p') JOIN pg_namespace tn ON tn.oid = t.relnamespace
    JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
    WHERE t.relnamespace = l.own AND p.relnamespace <> l.own
  ), ties AS (
    SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', altered, conname) AS remove,
           format('ALTER TABLE %s ADD CONSTRAINT %I %s', altered, conname, definition) || CASE WHEN "isValid" THEN ' NOT VALID' ELSE '' END
             || coalesce(format('; COMMENT ON CONSTRAINT %I ON %s IS %L', conname, altered, comment), '') AS restore,
           CASE WHEN "isValid" THEN format('ALTER TABLE %s VALIDATE CONSTRAINT %I', altered, conname) END AS validate FROM keys
    UNION SELECT format('ALTER TABLE %s DETACH PARTITION %s', parent, own), format('ALTER TABLE %s ATTACH PARTITION %s %s', parent, own, bound), NULL FROM parents WHERE relispartition
    UNION SELECT format('ALTER TABLE %s NO INHERIT %s', own, parent), format('ALTER TABLE %s INHERIT %s', own, parent), NULL FROM parents WHERE NOT relispartition
  )
  SELECT (SELECT count(DISTINCT (classid, objid))::int FROM located) AS objects,
    current_setting('max_locks_per_transaction')::int * (current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int) AS capacity,
    (SELECT coalesce(jsonb_agg(t ORDER BY t.remove), '[]') FROM ties t) AS ties,
    ARRAY(SELECT pg_describe_object('pg_constraint'::regclass, oid, 0) FROM keys WHERE "isReferrer"
          UNION SELECT pg_describe_object(classid, objid, 0) FROM located
                WHERE classid IN ('pg_publication_rel'::regclass, to_regclass('pg_publication_namespace'))
          ORDER BY 1) AS referrers,
    ARRAY(SELECT DISTINCT CASE WHEN v.oid IS NULL THEN pg_describe_object(l.classid, l.objid, l.objsubid)
                               ELSE pg_describe_object('pg_class'::regclass, v.oid, 0) END FROM located l
          LEFT JOIN pg_rewrite w ON l.classid = 'pg_rewrite'::regclass AND w.oid = l.objid AND w.rulename = '_RETURN'
          LEFT JOIN pg_class v ON v.oid = w.ev_class
          WHERE l.namespace IS DISTINCT FROM l.own AND l.namespace IS DISTINCT FROM 'pg_toast'::regnamespace::oid
            AND NOT EXISTS (SELECT FROM pg_constraint k WHERE l.classid = 'pg_constraint'::regclass AND k.oid = l.objid AND k.contype = 'f')
            AND NOT EXISTS (SELECT FROM pg_trigger t WHERE l.classid = 'pg_trigger'::regclass AND t.oid = l.objid AND t.tgisinternal)
          ORDER BY 1) AS dependents`;

const HASHED = ['enable_hashjoin', 'enable_mergejoin', 'jit'];

/** Of one schema, in the caller's transaction. Names in the SQL are qualified. */
export async function readOutsideTies(client: PoolClient, schema: string): Promise<OutsideTies> {
  const set = (to: string) => HASHED.map((name) => `SET LOCAL ${name} TO ${to}`);
  const before = await client.query<{ path: string }>(`SELECT current_setting('search_path') AS path`);
  await client.query([...set('off'), 'SET LOCAL search_path TO pg_catalog'].join('; '));
  const { rows } = await client.query<OutsideTies & QueryResultRow>(SELECT_TIES, [schema]);
  await client.query(
    `${set('DEFAULT').join('; ')}; SELECT set_config('search_path', ${literal(before.rows[0]?.path ?? '')}, true)`,
  );
  const [row] = rows;
  if (row === undefined) throw new Error('a query without a condition returned no row');
  return row;
}

/** @throws TenantctlError TENANT_REFERENCED if CASCADE would drop objects of others */
export function assertUnreferenced(
  { clerkOrgId: tenant, schema }: TenantNames,
  { dependents }: Pick<OutsideTies, 'dependents'>,
): void {
  if (dependents.length === 0) return;
  throw new TenantctlError(
    'TENANT_REFERENCED',
    `Objects outside ${schema} depend on what the tenant "${tenant}" has: ${listed(dependents)}. Nothing was dropped.`,
    {
      tenant,
      details: dependents,
      hint: 'Drop them, or change them so that they no longer depend on it. Then run the command again.',
    },
  );
}
