import { literal } from '../../db/sql.ts';
import { BY_INDEX, routine } from '../state/routine.ts';
import { CATALOGS, PG_DEPEND, PG_SHDEPEND, type Catalog } from './catalogs.ts';
import { each, writesOf } from './own-objects.ts';
import { isOurs } from './own-transaction.ts';
import { IS_OTHER_TENANTS_OBJECT, REFERRED } from './references.ts';

/** The catalogs whose writes are counted, by oid. */
export const COUNTED: readonly number[] = [
  ...new Set([...CATALOGS.map(({ self }) => self), PG_DEPEND, PG_SHDEPEND]),
];

const COUNTED_OIDS = `'{${COUNTED.join(',')}}'::oid[]`;

/** SQL for how often this session has written each of COUNTED, as bigint[]. */
export const WRITES = `ARRAY(SELECT ${writesOf('c.oid')} FROM unnest(${COUNTED_OIDS}) AS c (oid))`;

/** The oid of the schema pg_toast, in every version. */
const TOAST = 99;

/**
 * The query for rows of a catalog that this transaction has written, of objects outside the tenant's schema, for
 * routines with these variables. The catalog may have a million rows: what is true for the fewest is asked first.
 */
function search(catalog: Catalog): string {
  const { name, of: [object, oid] = [name, 'oid'] } = catalog;
  const id = 'first_id + first_age - r.age';
  return `RETURN QUERY SELECT ${literal(object)}, r.of_oid, ${id}, false, false
             FROM (SELECT r.${oid} AS of_oid, ${spaceOf(catalog)} AS space, age(r.xmin) AS age FROM pg_catalog.${name} r
                   WHERE age(r.xmin) <= first_age AND age(r.xmin) >= last_age AND (${conditionOf(catalog)}) OFFSET 0) r
             WHERE ${id} >= since AND txid_status(${id}) = 'in progress'
               AND coalesce((SELECT s.nspname <> tenant_schema AND s.nspname !~ '^pg_(?:toast|temp|toast_temp)(?:_|$)'
                             FROM pg_catalog.pg_namespace s WHERE s.oid = r.space), true);`;
}

/** SQL that passes by the rows of the schema's own objects, if the row itself tells. */
function conditionOf({ name, schema, where = 'true' }: Catalog): string {
  if (name === 'pg_attribute') return 'r.attrelid NOT IN (SELECT unnest(own_relations))';
  return schema === undefined ? where : `r.${schema} <> own AND r.${schema} <> ${TOAST} AND ${where}`;
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

/** By the oid of the catalog. */
function searches(catalogs: readonly Catalog[]): [self: number, queries: string][] {
  const bySelf = Map.groupBy(catalogs, ({ self }) => self);
  return [...bySelf].map(([self, some]) => [self, some.map(search).join('\n             ')]);
}

/** Those that most migrations write: rows_outside searches them itself. */
const OFTEN_WRITTEN = ['pg_class', 'pg_attribute', 'pg_type', 'pg_constraint', 'pg_enum'];
const isOftenWritten = ({ name }: Catalog) => OFTEN_WRITTEN.includes(name);

/** It is not compiled in sessions that do not need it. */
export const SEARCH_CATALOG = routine(
  'search_catalog(searched oid, tenant_schema text, since bigint, own oid, first_id bigint, first_age integer, last_age integer) RETURNS TABLE (of_catalog text, of_oid oid, written_by bigint, in_schema boolean, is_referred boolean)',
  `BEGIN
       -- Null if this version lacks it.
       IF has_table_privilege(searched, 'SELECT') THEN
         CASE searched
           ${searches(CATALOGS.filter((catalog) => !isOftenWritten(catalog)))
             .map(([self, queries]) => `WHEN ${self} THEN\n             ${queries}`)
             .join('\n           ')}
         END CASE;
       END IF;
     END`,
  'The rows of a catalog that this transaction has written and that belong to objects outside the tenant schema.',
);

/** SQL for whether this transaction wrote a row of a catalog. */
const isOurRow = (alias: string) => isOurs(`age(${alias}.xmin)`);

/** SQL for how many of the rows that were written to a catalog are the schema's own: see rows_outside. */
const OWN_ROWS = {
  attribute: `(SELECT count(*) FROM unnest(own_relations) AS t (oid),
           LATERAL (SELECT a.xmin FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.oid OFFSET 0) a
           WHERE ${isOurRow('a')})`,
  type: `(SELECT count(*) FROM (SELECT t.typnamespace, t.xmin FROM pg_catalog.pg_type t WHERE t.oid > largest::oid OFFSET 0) t
           WHERE t.typnamespace IN (own, ${TOAST}, pg_my_temp_schema()) AND ${isOurRow('t')})`,
  proc: `(SELECT count(*) FROM ${each('pg_depend', 'd', `d.refclassid = 'pg_namespace'::regclass AND d.refobjid = own AND d.classid = 'pg_proc'::regclass`)},
           LATERAL (SELECT p.pronamespace, p.xmin FROM pg_catalog.pg_proc p WHERE p.oid = d.objid OFFSET 0) p
           WHERE p.pronamespace = own AND ${isOurRow('p')})`,
};

/** SQL for how many of the types that the transaction has dropped it had created. */
const PASSED_TYPES = `(SELECT count(*) FROM unnest(passing) AS t (oid)
               WHERE t.oid > largest::oid AND NOT EXISTS (SELECT FROM pg_catalog.pg_type x WHERE x.oid = t.oid))`;

/** The query for the relations of `changed` that are the schema's own or the session's, and those that may refer to others. */
const SPLIT_CHANGED = `SELECT count(*) FILTER (WHERE c.is_own AND ${isOurRow('c')}),
           array_agg(t.oid) FILTER (WHERE c.is_own), array_agg(t.oid) FILTER (WHERE c.relnamespace <> ${TOAST})
         INTO own_classes, own_relations, referring
         FROM unnest(changed) AS t (oid),
           LATERAL (SELECT x.relnamespace, x.xmin, x.relnamespace IN (own, ${TOAST}, pg_my_temp_schema()) AS is_own
                    FROM pg_catalog.pg_class x WHERE x.oid = t.oid OFFSET 0) c`;

/**
 * SQL for whether a routine of the schema, or of public, may grant. What triggers and functions of other schemas
 * grant on columns is not looked for: only the largest catalog shows it.
 */
const ROUTINE_MAY_GRANT = `EXISTS (
             SELECT FROM (SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname IN (tenant_schema, 'public') OFFSET 0) n,
               ${each('pg_depend', 'd', `d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid`)},
               ${each('pg_proc', 'p', `d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid`)}
             WHERE p.prosrc ~* '\\y(grant|revoke|execute)\\y')`;

/**
 * The query for the catalogs that this transaction has written, how often, and how many of the rows are the schema's own,
 * where that is known. Without counters, how often is null.
 */
const WRITTEN_CATALOGS = `SELECT c.oid, CASE WHEN current_setting('track_counts') = 'on' THEN ${writesOf('c.oid')} - coalesce(c.noted, 0) END,
             CASE c.oid
               WHEN 1259 THEN own_classes
               WHEN 2615 THEN (SELECT count(*) FROM pg_catalog.pg_namespace n WHERE n.oid = own AND ${isOurRow('n')}) END
           FROM unnest(${COUNTED_OIDS}, noted) AS c (oid, noted)
           WHERE c.oid = ANY (written) AND c.oid NOT IN (${PG_DEPEND}, ${PG_SHDEPEND})`;

/** Branches of an IF on the oid of a catalog. */
const OFTEN_NEEDED = searches(CATALOGS.filter(isOftenWritten))
  .map(([self, queries]) => `IF catalog = ${self} THEN\n             ${queries}`)
  .join('\n           ELS');

/**
 * Each of the schema's own rows that has this transaction's id was written at least once, and so was each type that it
 * created and dropped. If a catalog was written no more often than that, it need not be searched.
 *
 * It has few expressions, since the session keeps a plan for each: at every change of a table the server looks at all of
 * them, and after many changes it makes all of them anew.
 */
export const ROWS_OUTSIDE = routine(
  'rows_outside(tenant_schema text, since bigint, largest bigint, noted bigint[], columns boolean) RETURNS TABLE (of_catalog text, of_oid oid, written_by bigint, in_schema boolean, is_referred boolean)',
  `DECLARE
       own oid;
       written oid[];
       first_id bigint;
       first_age integer;
       last_age integer;
       changed oid[];
       passing oid[];
       own_classes bigint;
       own_relations oid[];
       referring oid[];
       catalog oid;
       times bigint;
       own_rows bigint;
       w record;
     BEGIN
       -- No object is in schema 0.
       SELECT coalesce(to_regnamespace(quote_ident(tenant_schema))::oid, 0),
         array_agg(c.oid) FILTER (WHERE current_setting('track_counts') <> 'on' OR ${writesOf('c.oid')} <> coalesce(c.noted, 0))
       INTO own, written FROM unnest(${COUNTED_OIDS}, noted) AS c (oid, noted);
       IF written IS NULL THEN
         RETURN;
       END IF;
       -- A subtransaction has an id of its own, later than all that wrote anything here before.
       BEGIN
         first_id := CASE WHEN pg_logical_emit_message(true, 'tenantctl', '') IS NOT NULL THEN txid_current() END;
         SELECT max(age(l.transactionid)), min(age(l.transactionid)), array_agg(DISTINCT l.relation) FILTER (WHERE l.locktype = 'relation'),
           array_agg(DISTINCT l.objid) FILTER (WHERE l.locktype = 'object')
         INTO first_age, last_age, changed, passing FROM pg_lock_status() l
         WHERE l.pid = pg_backend_pid() AND CASE l.locktype
           WHEN 'transactionid' THEN l.mode = 'ExclusiveLock'
           WHEN 'relation' THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           WHEN 'object' THEN l.mode = 'AccessExclusiveLock' AND l.classid = 'pg_type'::regclass
           ELSE false END;
         ${SPLIT_CHANGED};
         FOR catalog, times, own_rows IN ${WRITTEN_CATALOGS} LOOP
           IF catalog = 1247 THEN
             own_rows := ${OWN_ROWS.type};
             IF passing IS NOT NULL THEN
               own_rows := own_rows + ${PASSED_TYPES};
             END IF;
           ELSIF catalog = 1249 THEN
             IF NOT columns THEN
               CONTINUE WHEN NOT ${ROUTINE_MAY_GRANT};
             END IF;
             own_rows := ${OWN_ROWS.attribute};
           ELSIF catalog = 1255 THEN
             own_rows := ${OWN_ROWS.proc};
           END IF;
           CONTINUE WHEN own_rows = times;
           ${OFTEN_NEEDED}
           ELSE
             RETURN QUERY SELECT * FROM tenantctl.search_catalog(catalog, tenant_schema, since, own, first_id, first_age, last_age);
           END IF;
         END LOOP;
         IF written && '{${PG_DEPEND},${PG_SHDEPEND}}'::oid[] THEN
           FOR w IN ${REFERRED} LOOP
             IF NOT w.is_moved THEN
               CONTINUE WHEN NOT ${IS_OTHER_TENANTS_OBJECT};
             END IF;
             RETURN QUERY SELECT w.refclassid::regclass::text, w.refobjid::oid, w.id::bigint, w.is_moved, NOT w.is_moved;
           END LOOP;
         END IF;
       EXCEPTION WHEN SQLSTATE 'TCT99' THEN
         NULL;
       END;
     END`,
  'The catalog rows of objects outside the tenant schema that this transaction has written since an id, relations and types that have come into it, and what of other tenants it has made anything depend on.',
  BY_INDEX,
);
