import { catalogsOf, DROPPABLE, NEWEST } from './catalogs.ts';
import { literal } from '../../db/sql.ts';
import { procedure, routine } from '../server-routine.ts';
import { LARGEST, largestOid, ownObjects, ownRows, writesOf } from './own-objects.ts';
import { FIRST_AGE, LAST_AGE } from './own-transaction.ts';

/** The catalogs to look through, as rows of VALUES. */
const CATALOGS = catalogsOf(NEWEST)
  .map(({ name, of: [catalog, column] = [name, 'oid'], schema = '', where = 'true' }) =>
    [name, catalog, column, schema, where].map(literal).join(', '),
  )
  .map((row) => `(${row})`)
  .join(',\n           ');

const isNew = (xmin: string) => `age(${xmin}) BETWEEN last_age AND first_age`;

/** How many rows of the schema's own objects a catalog has that this transaction has written, by the catalog's name. */
const OWN_ROWS = `CASE looked.name
             WHEN 'pg_class' THEN ${ownRows('pg_class', 'pg_class', 'oid', isNew)}
             WHEN 'pg_attribute' THEN ${ownRows('pg_class', 'pg_attribute', 'attrelid', isNew)}
             WHEN 'pg_type' THEN ${ownRows('pg_type', 'pg_type', 'oid', (xmin) => `r.oid::bigint > largest AND ${isNew(xmin)}`)}
           END`;

/**
 * What the server needs to keep a tenant's string within its schema. What it finds too much is gone through once more,
 * statement by statement, and judged there (src/core/guard/judge.ts): so these have only to pass what is surely well.
 *
 * - A relation is known by the text of its name, which the server has at hand: joining the catalogs would cost as much
 *   again as a small migration.
 * - What is not there any more was dropped. It was the tenant's if it is among what the schema held at the beginning; it
 *   came and went with the transaction if its oid is larger than any that there was.
 */
export const GUARD_ROUTINES: readonly string[] = [
  procedure(
    'note_own(tenant_schema text)',
    `DECLARE
       ignored text;
     BEGIN
       WITH ${ownObjects('tenant_schema')}
       SELECT set_config('tenantctl.own', ',' || coalesce(string_agg(own.catalog || ':' || own.oid, ','), '') || ',', true) INTO ignored FROM own;
       SELECT set_config('tenantctl.largest', ${largestOid(DROPPABLE)}::text, true) INTO ignored;
       SELECT set_config('tenantctl.writes', json_build_object(${LARGEST.map((name) => `'${name}', ${writesOf(`'${name}'`)}`).join(', ')})::text, true) INTO ignored;
     END`,
    'Notes what a tenant schema holds, for stay_within.',
  ),
  routine(
    'row_outside(tenant_schema text, columns boolean) RETURNS text',
    `DECLARE
       first_age integer;
       last_age integer;
       noted json := coalesce(nullif(current_setting('tenantctl.writes', true), ''), '{}')::json;
       own text := coalesce(current_setting('tenantctl.own', true), '');
       largest bigint := coalesce(nullif(current_setting('tenantctl.largest', true), ''), '0')::bigint;
       is_counting boolean := current_setting('track_counts') = 'on';
       looked record;
       writes bigint;
       own_rows bigint;
       outside text;
     BEGIN
       -- A subtransaction has an id of its own, later than all that wrote anything here before.
       BEGIN
         PERFORM pg_logical_emit_message(true, 'tenantctl', '');
         first_age := ${FIRST_AGE};
         last_age := ${LAST_AGE};
         FOR looked IN SELECT * FROM (VALUES
           ${CATALOGS}) AS c (name, catalog, oid_column, schema_column, condition)
         LOOP
           CONTINUE WHEN looked.name = 'pg_attribute' AND NOT columns;
           CONTINUE WHEN to_regclass('pg_catalog.' || looked.name) IS NULL OR NOT has_table_privilege('pg_catalog.' || looked.name, 'SELECT');
           IF is_counting THEN
             writes := ${writesOf('looked.name')};
             CONTINUE WHEN writes = 0;
             IF looked.name IN (${LARGEST.map(literal).join(', ')}) THEN
               WITH ${ownObjects('tenant_schema')} SELECT ${OWN_ROWS} INTO own_rows;
               CONTINUE WHEN writes - (noted ->> looked.name)::bigint = own_rows;
             END IF;
           END IF;
           EXECUTE format(
             'SELECT %L || '' '' || r.%I FROM pg_catalog.%I r WHERE age(r.xmin) BETWEEN $1 AND $2 AND (%s)
                AND txid_status(txid_current() + $2 - age(r.xmin)) = ''in progress''
                AND tenantctl.is_outside(%L, r.%I, %s, $3, $4, $5) LIMIT 1',
             looked.catalog, looked.oid_column, looked.name, looked.condition, looked.catalog, looked.oid_column,
             CASE looked.schema_column WHEN '' THEN 'NULL' ELSE 'r.' || quote_ident(looked.schema_column) END)
           INTO outside USING last_age, first_age, tenant_schema, largest, own;
           IF outside IS NOT NULL THEN
             RETURN outside;
           END IF;
         END LOOP;
       EXCEPTION WHEN SQLSTATE 'TCT99' THEN
         NULL;
       END;
       RETURN NULL;
     END`,
    'An object outside the tenant schema whose catalog row this transaction has written; NULL where there is none.',
  ),
  routine(
    'is_outside(catalog text, object oid, space oid, tenant_schema text, largest bigint, noted text) RETURNS boolean',
    `DECLARE
       schema_name text;
     BEGIN
       SELECT n.nspname INTO schema_name FROM pg_namespace n WHERE n.oid = coalesce(space, CASE catalog
         WHEN 'pg_class' THEN (SELECT c.relnamespace FROM pg_class c WHERE c.oid = object)
         WHEN 'pg_type' THEN (SELECT t.typnamespace FROM pg_type t WHERE t.oid = object)
         WHEN 'pg_opfamily' THEN (SELECT f.opfnamespace FROM pg_opfamily f WHERE f.oid = object)
         WHEN 'pg_ts_config' THEN (SELECT c.cfgnamespace FROM pg_ts_config c WHERE c.oid = object)
       END);
       IF catalog = 'pg_type' AND object::bigint <= largest AND strpos(noted, ',pg_type:' || object || ',') = 0 THEN
         RETURN true;
       END IF;
       RETURN schema_name IS DISTINCT FROM tenant_schema
         AND coalesce(schema_name !~ '^pg_(?:toast|temp|toast_temp)(?:_|$)', true);
     END`,
    'Whether an object lies elsewhere than in the tenant schema, and not among what is temporary; or is a type that has come into it.',
  ),
  procedure(
    'stay_within(tenant_schema text, shared text[], key_locks text[], drops boolean, thorough boolean, columns boolean)',
    `DECLARE
       own text := quote_ident(tenant_schema) || '.';
       noted text := coalesce(current_setting('tenantctl.own', true), '');
       largest bigint := coalesce(nullif(current_setting('tenantctl.largest', true), ''), '0')::bigint;
       outside text;
     BEGIN
       SELECT held.name || ' (' || held.mode || ')' INTO outside
       FROM (
         SELECT l.relation::regclass::text AS name, l.relation, l.mode FROM pg_lock_status() l
         WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid()
       ) held
       WHERE NOT starts_with(held.name, own) AND CASE
         WHEN strpos(held.name, '.') = 0 THEN
           CASE WHEN held.name = held.relation::text THEN drops
           AND held.relation::bigint <= largest AND strpos(noted, ',pg_class:' || held.name || ',') = 0
           ELSE held.name LIKE 'pg\\_%' AND held.mode IN ('ExclusiveLock', 'AccessExclusiveLock') END
         WHEN held.name ~ '^(pg_toast|pg_toast_temp_\\d+)\\.' THEN false
         WHEN held.name ~ '^(tenantctl|information_schema)\\.' THEN held.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
         ELSE NOT EXISTS (SELECT FROM unnest(shared) AS s (name) WHERE starts_with(held.name, quote_ident(s.name) || '.'))
           OR held.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           AND NOT EXISTS (
             SELECT FROM unnest(key_locks) AS k (lock)
             WHERE held.name = quote_ident(split_part(k.lock, E'\\n', 1)) || '.' || quote_ident(split_part(k.lock, E'\\n', 2))
               AND held.mode = split_part(k.lock, E'\\n', 3))
         END
       LIMIT 1;
       IF outside IS NULL AND thorough THEN
         SELECT l.relation::regclass::text INTO outside FROM pg_lock_status() l
         WHERE l.locktype = 'relation' AND l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock'
           AND starts_with(l.relation::regclass::text, own)
           AND l.relation::bigint <= largest AND strpos(noted, ',pg_class:' || l.relation || ',') = 0
         LIMIT 1;
       END IF;
       IF outside IS NULL AND thorough THEN
         SELECT l.classid::regclass::text || ' ' || l.objid INTO outside FROM pg_lock_status() l
         WHERE l.locktype = 'object' AND l.pid = pg_backend_pid()
           AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           AND l.classid::regclass::text NOT IN ('pg_attrdef', 'pg_trigger', 'pg_rewrite', 'pg_policy', 'pg_largeobject')
           AND strpos(noted, ',' || l.classid::regclass::text || ':' || l.objid || ',') = 0
           AND NOT (l.objid::bigint > largest AND l.classid::regclass::text IN (${DROPPABLE.map(literal).join(', ')}))
         LIMIT 1;
         outside := coalesce(outside, tenantctl.row_outside(tenant_schema, columns));
       END IF;
       IF outside IS NOT NULL THEN
         RAISE EXCEPTION '% was reached from %', outside, tenant_schema USING ERRCODE = 'TCT03';
       END IF;
     END`,
    'Fails where the transaction has locked a relation outside the tenant schema otherwise than to read and write rows of shared ones, or has dropped one; and thoroughly, where it has written a catalog row of anything outside.',
  ),
];
