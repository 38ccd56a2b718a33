import { literal } from '../../db/sql.ts';
import { BY_INDEX, routine } from '../state/routine.ts';
import { CATALOGS, type Catalog } from './catalogs.ts';
import { each, writesOf } from './own-objects.ts';
import { isOurs } from './own-transaction.ts';
import { IS_OTHER_TENANTS_OBJECT, REFERRED } from './references.ts';

const PG_DEPEND = 2608;
const PG_SHDEPEND = 1214;

/** The catalogs whose writes are counted, by oid. */
export const COUNTED: readonly number[] = [
  ...new Set([...CATALOGS.map(({ self }) => self), PG_DEPEND, PG_SHDEPEND]),
];

const COUNTED_OIDS = `'{${COUNTED.join(',')}}'::oid[]`;

/** SQL for how often this session has written each of COUNTED, as bigint[]. */
export const WRITES = `ARRAY(SELECT ${writesOf('c.oid')} FROM unnest(${COUNTED_OIDS}) AS c (oid))`;

/** The arguments and variables of the routines below, in the order in which `search` numbers them. */
const VARIABLES = ['tenant_schema', 'since', 'largest', 'first_id', 'first_age', 'last_age'] as const;

/** What `search` needs, in SQL. */
interface Searched {
  readonly name: string;
  /** The catalog that its objects are in, as a literal. */
  readonly object: string;
  readonly oid: string;
  readonly space: string;
  readonly condition: string;
}

/** The query for rows of a catalog that this transaction has written, of objects outside the tenant's schema. */
function search({ name, object, oid, space, condition }: Searched): string {
  return `SELECT ${object}, r.of_oid, $4 + $5 - r.age, false, false
              FROM (SELECT ${oid} AS of_oid, ${space} AS space, age(r.xmin) AS age FROM pg_catalog.${name} r
                    WHERE age(r.xmin) BETWEEN $6 AND $5 AND (${condition}) OFFSET 0) r
              LEFT JOIN LATERAL (SELECT s.nspname FROM pg_catalog.pg_namespace s WHERE s.oid = r.space OFFSET 0) n ON true
              WHERE $4 + $5 - r.age >= $2 AND n.nspname IS DISTINCT FROM $1
                AND coalesce(n.nspname !~ '^pg_(?:toast|temp|toast_temp)(?:_|$)', true)
                AND txid_status($4 + $5 - r.age) = 'in progress'`;
}

function toSearched(catalog: Catalog): Searched {
  const { name, of: [object, oid] = [name, 'oid'], where = 'true' } = catalog;
  return { name, object: literal(object), oid: `r.${oid}`, space: spaceOf(catalog), condition: where };
}

/** SQL for the oid of the schema that a row's object is in. */
function spaceOf({ of, schema, space }: Catalog): string {
  if (space !== undefined) return space;
  if (schema !== undefined) return `r.${schema}`;
  const [object, oid] = of ?? [];
  const column = CATALOGS.find(({ name }) => name === object)?.schema;
  return column === undefined
    ? 'NULL::oid'
    : `(SELECT o.${column} FROM pg_catalog.${object} o WHERE o.oid = r.${oid})`;
}

/** The same query with its plan kept for the session. */
function keptSearch(catalogName: string): string {
  const catalog = CATALOGS.find(({ name }) => name === catalogName);
  if (catalog === undefined) throw new Error(`${catalogName} is not searched`);
  return search(toSearched(catalog)).replaceAll(/\$(\d)/g, (_, nth) => VARIABLES[Number(nth) - 1] ?? '');
}

/** The catalogs to search, as VALUES. */
const CATALOG_ROWS = CATALOGS.map((catalog) => {
  const { name, object, oid, space, condition } = toSearched(catalog);
  return `(${[String(catalog.self), ...[name, object, oid, space, condition].map(literal)].join(', ')})`;
}).join(',\n           ');

/** It reads the catalog as a whole, which is quickest from beginning to end. */
export const SEARCH_CATALOG = routine(
  'search_catalog(searched oid, tenant_schema text, since bigint, largest bigint, first_id bigint, first_age integer, last_age integer) RETURNS TABLE (of_catalog text, of_oid oid, written_by bigint, in_schema boolean, is_referred boolean)',
  `DECLARE
       looked record;
     BEGIN
       CASE searched
       WHEN 1259 THEN
         RETURN QUERY ${keptSearch('pg_class')};
       WHEN 1247 THEN
         RETURN QUERY ${keptSearch('pg_type')};
       ELSE
         -- Null if this version lacks it.
         IF has_table_privilege(searched, 'SELECT') THEN
           FOR looked IN SELECT * FROM (VALUES
           ${CATALOG_ROWS}) AS c (self, name, object, oid, space, condition) WHERE c.self = searched
           LOOP
             RETURN QUERY EXECUTE format(${literal(search({ name: '%1$s', object: '%2$s', oid: '%3$s', space: '%4$s', condition: '%5$s' }))},
               looked.name, looked.object, looked.oid, looked.space, looked.condition)
             USING ${VARIABLES.join(', ')};
           END LOOP;
         END IF;
       END CASE;
     END`,
  'The rows of a catalog that this transaction has written and that belong to objects outside the tenant schema.',
);

/** Rows in these schemas are never outside. */
const PASSED = `(own, 'pg_toast'::regnamespace::oid, pg_my_temp_schema())`;

/** SQL for how many of the rows that were written to a catalog are the schema's own: see rows_outside. */
const OWN_ROWS = {
  class: `(SELECT count(*) FROM unnest(changed) AS t (oid),
           LATERAL (SELECT c.relnamespace, c.xmin FROM pg_catalog.pg_class c WHERE c.oid = t.oid OFFSET 0) c
           WHERE c.relnamespace IN ${PASSED} AND ${isOurs('age(c.xmin)')})`,
  attribute: `(SELECT count(*) FROM unnest(changed) AS t (oid), ${each('pg_class', 'c', `c.oid = t.oid AND c.relnamespace IN ${PASSED}`)},
           LATERAL (SELECT a.xmin FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid OFFSET 0) a
           WHERE ${isOurs('age(a.xmin)')})`,
  type: `(SELECT count(*) FROM (SELECT t.typnamespace, t.xmin FROM pg_catalog.pg_type t WHERE t.oid > largest::oid OFFSET 0) t
           WHERE t.typnamespace IN ${PASSED} AND ${isOurs('age(t.xmin)')})
           + (SELECT count(*) FROM unnest(passing) AS t (oid) WHERE t.oid > largest::oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_type x WHERE x.oid = t.oid))`,
  proc: `(SELECT count(*) FROM ${each('pg_depend', 'd', `d.refclassid = 'pg_namespace'::regclass AND d.refobjid = own AND d.classid = 'pg_proc'::regclass`)},
           LATERAL (SELECT p.pronamespace, p.xmin FROM pg_catalog.pg_proc p WHERE p.oid = d.objid OFFSET 0) p
           WHERE p.pronamespace = own AND ${isOurs('age(p.xmin)')})`,
  namespace: `(SELECT count(*) FROM pg_catalog.pg_namespace n WHERE n.oid = own AND ${isOurs('age(n.xmin)')})`,
};

/**
 * SQL for whether a routine of the schema, or of public, may grant. What triggers and functions of other schemas
 * grant on columns is not looked for: only the largest catalog shows it.
 */
const ROUTINE_MAY_GRANT = `EXISTS (
             SELECT FROM (SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname IN (tenant_schema, 'public') OFFSET 0) n,
               ${each('pg_depend', 'd', `d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid`)},
               ${each('pg_proc', 'p', `d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid`)}
             WHERE p.prosrc ~* '\\y(grant|revoke|execute)\\y')`;

/** Whatever comes into the schema depends on it anew, except the parts of a table. */
const MOVED_IN = `SELECT d.classid::regclass::text, d.objid, first_id + first_age - d.age, true, false
           FROM (SELECT d.classid, d.objid, age(d.xmin) AS age FROM pg_catalog.pg_depend d
                 WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = own OFFSET 0) d
           WHERE d.classid IN ('pg_class'::regclass, 'pg_type'::regclass) AND d.objid::bigint <= largest AND ${isOurs('d.age')}`;

/**
 * Each of the schema's own rows that has this transaction's id was written at least once, and so was each type that it
 * created and dropped. If a catalog was written no more often than that, it need not be searched.
 */
export const ROWS_OUTSIDE = routine(
  'rows_outside(tenant_schema text, since bigint, largest bigint, noted bigint[], columns boolean) RETURNS TABLE (of_catalog text, of_oid oid, written_by bigint, in_schema boolean, is_referred boolean)',
  `DECLARE
       own oid := (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = tenant_schema);
       is_counting boolean := current_setting('track_counts') = 'on';
       has_references boolean := false;
       first_id bigint;
       first_age integer;
       last_age integer;
       changed oid[];
       passing oid[];
       written record;
       own_rows bigint;
       w record;
     BEGIN
       IF is_counting AND ${WRITES} = noted THEN
         RETURN;
       END IF;
       -- A subtransaction has an id of its own, later than all that wrote anything here before.
       BEGIN
         PERFORM pg_logical_emit_message(true, 'tenantctl', '');
         first_id := txid_current();
         SELECT max(age(l.transactionid)), min(age(l.transactionid)), array_agg(DISTINCT l.relation) FILTER (WHERE l.locktype = 'relation'),
           array_agg(DISTINCT l.objid) FILTER (WHERE l.locktype = 'object')
         INTO first_age, last_age, changed, passing FROM pg_lock_status() l
         WHERE l.pid = pg_backend_pid() AND CASE l.locktype
           WHEN 'transactionid' THEN l.mode = 'ExclusiveLock'
           WHEN 'relation' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           WHEN 'object' THEN l.mode = 'AccessExclusiveLock' AND l.classid = 'pg_type'::regclass
           ELSE false END;
         FOR written IN
           SELECT c.oid, ${writesOf('c.oid')} - coalesce(c.noted, 0) AS times FROM unnest(${COUNTED_OIDS}, noted) AS c (oid, noted)
           WHERE NOT is_counting OR ${writesOf('c.oid')} <> coalesce(c.noted, 0)
         LOOP
           own_rows := NULL;
           CASE written.oid
           WHEN ${PG_DEPEND}, ${PG_SHDEPEND} THEN
             has_references := true;
             CONTINUE;
           WHEN 1259 THEN
             own_rows := ${OWN_ROWS.class};
           WHEN 1249 THEN
             CONTINUE WHEN NOT columns AND NOT ${ROUTINE_MAY_GRANT};
             own_rows := ${OWN_ROWS.attribute};
           WHEN 1247 THEN
             own_rows := ${OWN_ROWS.type};
           WHEN 1255 THEN
             own_rows := ${OWN_ROWS.proc};
           WHEN 2615 THEN
             own_rows := ${OWN_ROWS.namespace};
           WHEN 2606 THEN
             RETURN QUERY ${keptSearch('pg_constraint')};
             CONTINUE;
           ELSE
             NULL;
           END CASE;
           CONTINUE WHEN is_counting AND own_rows = written.times;
           RETURN QUERY SELECT * FROM tenantctl.search_catalog(written.oid, tenant_schema, since, largest, first_id, first_age, last_age);
         END LOOP;
         IF has_references THEN
           RETURN QUERY ${MOVED_IN};
           FOR w IN ${REFERRED} LOOP
             CONTINUE WHEN NOT ${IS_OTHER_TENANTS_OBJECT};
             RETURN QUERY SELECT w.refclassid::regclass::text, w.refobjid::oid, w.id::bigint, false, true;
           END LOOP;
         END IF;
       EXCEPTION WHEN SQLSTATE 'TCT99' THEN
         NULL;
       END;
     END`,
  'The catalog rows of objects outside the tenant schema that this transaction has written since an id, relations and types that have come into it, and what of other tenants it has made anything depend on.',
  BY_INDEX,
);
