import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { SYSTEM_SCHEMA, tenantSchemaPattern } from '../registry/schema-name.ts';
import { BY_INDEX, routine, type Routine } from '../state/routine.ts';
import { LOCKS } from './before.ts';
import { CATALOGS, DROPPABLE, type Catalog } from './catalogs.ts';
import { OTHER_TENANTS_REFERRED } from './references.ts';
import {
  each,
  extensionOf,
  isOtherTenants,
  LARGEST,
  largestOid,
  OWN,
  ownRows,
  SELECT_OWN_OBJECTS,
  writesOf,
} from './own-objects.ts';
import { idOf, LAST_AGE, OWN_IDS, OWN_LOCKS } from './own-transaction.ts';
import { FORM } from './description.ts';
import { KEY_LOCK } from './effects.ts';
import { isWriteToStateSql } from './state-tables.ts';
import { HAS_HIDDEN_CALLS } from './hidden-calls.ts';

/** The catalogs to search, as VALUES: name, the object's catalog, its oid, its schema's oid, condition. */
const CATALOG_ROWS = CATALOGS.map((catalog) => {
  const { name, of: [object, oid] = [name, 'oid'], where = 'true' } = catalog;
  return `(${[name, object, `r.${oid}`, spaceOf(catalog), where].map(literal).join(', ')})`;
}).join(',\n           ');

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

/** SQL for whether this transaction wrote a row after the SchemaBefore. */
const isNew = (xmin: string) =>
  `age(${xmin}) BETWEEN last_age AND first_age AND own_id + first_age - age(${xmin}) >= since`;

/** SQL for how many rows of the schema's own objects this transaction wrote into each of the largest catalogs. */
const OWN_ROWS = `json_build_object(
               'pg_class', ${ownRows('pg_class', 'pg_class', 'oid', isNew)},
               'pg_attribute', CASE WHEN columns THEN ${ownRows('pg_class', 'pg_attribute', 'attrelid', isNew)} END,
               'pg_type', ${ownRows('pg_type', 'pg_type', 'oid', (xmin) => `r.oid::bigint > largest AND ${isNew(xmin)}`)})`;

/** SQL for how many rows this transaction wrote into the largest catalogs. */
const WRITES = `json_build_object(${LARGEST.map((name) => `'${name}', ${writesOf(`'${name}'`)}`).join(', ')})`;

/** SQL for the foreign keys of the schema's tables; needs `own`. */
const FOREIGN_KEYS = `(SELECT coalesce(json_object_agg(k.oid, k.confrelid::text), '{}')
       FROM own t, ${each('pg_constraint', 'k', `k.conrelid = t.oid AND k.contype = 'f'`)} WHERE t.catalog = 'pg_class')`;

const OWN_OBJECTS = routine(
  'own_objects(tenant_schema text) RETURNS TABLE (of_catalog text, of_oid oid)',
  `BEGIN
       RETURN QUERY ${SELECT_OWN_OBJECTS};
     END`,
  'The objects of a schema and their parts.',
  BY_INDEX,
);

const NOTE_OWN = routine(
  'note_own(tenant_schema text)',
  `DECLARE
       ignored text;
     BEGIN
       WITH ${OWN}
       SELECT set_config('tenantctl.own', ',' || coalesce(string_agg(own.catalog || ':' || own.oid, ','), '') || ',', true) INTO ignored FROM own;
       SELECT set_config('tenantctl.largest', ${largestOid(DROPPABLE)}::text, true) INTO ignored;
       SELECT set_config('tenantctl.writes', ${WRITES}::text, true) INTO ignored;
     END`,
  'Notes what a tenant schema holds, for stay_within.',
  BY_INDEX,
);

const SCHEMA_BEFORE = routine(
  'schema_before(tenant_schema text) RETURNS json',
  `BEGIN
       RETURN (WITH ${OWN} SELECT json_build_object(
         'locks', ${LOCKS},
         'own', ARRAY(SELECT concat_ws(':', own.catalog, own.oid) FROM own),
         'keys', ${FOREIGN_KEYS},
         'writes', ${WRITES},
         'largest', ${largestOid(['pg_class', 'pg_type'])}::text,
         'since', CASE WHEN txid_current_if_assigned() IS NOT NULL THEN ${idOf(LAST_AGE)}::text END));
     END`,
  'What a tenant schema and its transaction hold before the first migration.',
  BY_INDEX,
);

/**
 * SQL for whether a routine of the schema, or of public, may grant. What triggers and functions of other schemas
 * grant on columns is not looked for: only the largest catalog shows it.
 */
const ROUTINE_MAY_GRANT = `EXISTS (
             SELECT FROM (SELECT s.oid FROM pg_catalog.pg_namespace s WHERE s.nspname IN (tenant_schema, 'public') OFFSET 0) n,
               ${each('pg_depend', 'd', `d.refclassid = 'pg_catalog.pg_namespace'::regclass AND d.refobjid = n.oid`)},
               ${each('pg_proc', 'p', `d.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = d.objid`)}
             WHERE p.prosrc ~* '\\y(grant|revoke|execute)\\y')`;

const ROWS_OUTSIDE = routine(
  'rows_outside(tenant_schema text, since bigint, largest bigint, noted json, columns boolean) RETURNS TABLE (of_catalog text, of_oid oid, written_by bigint, in_schema boolean, is_referred boolean)',
  `DECLARE
     own_id bigint;
       first_age integer;
       last_age integer;
       is_counting boolean := current_setting('track_counts') = 'on';
       looked record;
       writes bigint;
       own_rows json;
       own_relations oid[] := '{}';
     BEGIN
       -- A subtransaction has an id of its own, later than all that wrote anything here before.
       BEGIN
         PERFORM pg_logical_emit_message(true, 'tenantctl', '');
         own_id := txid_current();
         SELECT max(age(l.transactionid)), min(age(l.transactionid)) INTO first_age, last_age ${OWN_IDS};
         FOR looked IN SELECT * FROM (VALUES
           ${CATALOG_ROWS}) AS c (name, catalog, object, space, condition)
         LOOP
           CONTINUE WHEN to_regclass('pg_catalog.' || looked.name) IS NULL OR NOT has_table_privilege('pg_catalog.' || looked.name, 'SELECT');
           IF is_counting THEN
             writes := ${writesOf('looked.name')};
             CONTINUE WHEN writes = 0;
           END IF;
           CONTINUE WHEN looked.name = 'pg_attribute' AND NOT columns AND NOT ${ROUTINE_MAY_GRANT};
           -- Each row of the own was written at least once: where no more than these were, there are no others.
           IF is_counting AND looked.name IN (${LARGEST.map(literal).join(', ')}) THEN
             IF own_rows IS NULL THEN
               WITH ${OWN}
               SELECT ${OWN_ROWS}, ARRAY(SELECT own.oid FROM own WHERE own.catalog = 'pg_class') INTO own_rows, own_relations;
             END IF;
             CONTINUE WHEN writes - (noted ->> looked.name)::bigint = (own_rows ->> looked.name)::bigint;
           END IF;
           RETURN QUERY EXECUTE format(
             'SELECT %L, %s, $6 + $2 - age(r.xmin), coalesce(n.nspname = $3, false), false
              FROM pg_catalog.%I r LEFT JOIN LATERAL (SELECT s.nspname FROM pg_catalog.pg_namespace s WHERE s.oid = %s OFFSET 0) n ON true
              WHERE age(r.xmin) BETWEEN $1 AND $2 AND (%s) AND $6 + $2 - age(r.xmin) >= $4
                AND (%L <> ''pg_class'' OR %s NOT IN (SELECT unnest($7)))
                AND txid_status($6 + $2 - age(r.xmin)) = ''in progress''
                AND (n.nspname IS DISTINCT FROM $3 AND coalesce(n.nspname !~ ''^pg_(?:toast|temp|toast_temp)(?:_|$)'', true)
                  OR %L = ''pg_type'' AND %s::bigint <= $5)',
             looked.catalog, looked.object, looked.name, looked.space, looked.condition, looked.catalog, looked.object,
             looked.catalog, looked.object)
           USING last_age, first_age, tenant_schema, since, largest, own_id, own_relations;
         END LOOP;
         IF NOT is_counting OR ${writesOf(`'pg_depend'`)} + ${writesOf(`'pg_shdepend'`)} > 0 THEN
           RETURN QUERY ${OTHER_TENANTS_REFERRED};
         END IF;
       EXCEPTION WHEN SQLSTATE 'TCT99' THEN
         NULL;
       END;
     END`,
  'The catalog rows of objects outside the tenant schema that this transaction has written since an id, those of types that may have come into it, and what of other tenants it has made anything depend on.',
  BY_INDEX,
);

/** A migration may have dropped or renamed the registry, which the guard then reports. */
function isOtherTenantsRoutine(names: Names): Routine {
  const { table, schema } = registrySql(names);
  return routine(
    'is_other_tenants(name text) RETURNS boolean',
    `BEGIN
       IF name ~ ${literal(tenantSchemaPattern(names))} THEN
         RETURN true;
       ELSIF name ~ ${literal(SYSTEM_SCHEMA.source)} THEN
         RETURN false;
       END IF;
       -- A block with EXCEPTION is a subtransaction.
       BEGIN
         RETURN EXISTS (SELECT FROM ${table} t WHERE t.${schema}::text = is_other_tenants.name);
       EXCEPTION WHEN undefined_table OR undefined_column THEN
         RETURN false;
       END;
     END`,
    'Whether a schema belongs to a tenant: it is registered, or is named like one.',
  );
}

/**
 * SQL for whether the judge needs a lock: most are on the tenant's own relations and on those of the system, and
 * the judge passes these by.
 */
const MATTERS = `CASE
                WHEN n.nspname IS NULL THEN true
                WHEN n.nspname = tenant_schema THEN o.mode = 'AccessExclusiveLock' AND o.oid::bigint <= largest
                WHEN n.nspname = 'pg_catalog' THEN o.mode IN ('ExclusiveLock', 'AccessExclusiveLock')
                ELSE n.nspname !~ '^(?:pg_toast|pg_temp_\\d+|pg_toast_temp_\\d+|information_schema)$' END`;

const EFFECTS = routine(
  'effects(tenant_schema text, since bigint, largest bigint, noted json, had_keys boolean, columns boolean) RETURNS json',
  `DECLARE
     locks json;
       rows json;
       keys json;
       may_have_keys boolean;
     BEGIN
       SELECT json_agg(json_build_object('catalog', o.catalog, 'oid', o.oid::text, 'mode', o.mode, 'schema', n.nspname,
                'name', c.relname, 'kind', c.relkind, 'isOtherTenants', ${isOtherTenants('n.nspname::text', 'tenant_schema')})) FILTER (WHERE ${MATTERS}),
              had_keys OR bool_or(o.mode = '${KEY_LOCK}')
       INTO locks, may_have_keys
       FROM (${OWN_LOCKS}) o
       LEFT JOIN ${each('pg_class', 'c', `o.catalog = 'pg_class' AND c.oid = o.oid`)} ON true
       LEFT JOIN ${each('pg_namespace', 'n', 'n.oid = c.relnamespace')} ON true;
       WITH mine AS MATERIALIZED (
         SELECT r.of_catalog AS catalog, r.of_oid AS oid, max(r.written_by) AS written_by, bool_or(r.in_schema) AS in_schema, bool_and(r.is_referred) AS is_referred
         FROM tenantctl.rows_outside(tenant_schema, since, largest, noted, columns) r GROUP BY r.of_catalog, r.of_oid)
       SELECT json_agg(json_build_object('catalog', m.catalog, 'oid', m.oid::text, 'writtenBy', m.written_by::text,
                'isInSchema', m.in_schema, 'isReferred', m.is_referred, 'extension', (
                  SELECT e.oid::text FROM mine e WHERE e.catalog = 'pg_extension'
                    AND e.oid = ${extensionOf(`('pg_catalog.' || m.catalog)::regclass`, 'm.oid')}))
              ORDER BY m.written_by, m.catalog, m.oid)
       INTO rows FROM mine m;
       IF may_have_keys THEN
         WITH ${OWN} SELECT ${FOREIGN_KEYS} INTO keys;
       END IF;
       RETURN json_build_object('locks', coalesce(locks, '[]'), 'rows', coalesce(rows, '[]'), 'foreignKeys', coalesce(keys, '{}'),
                'hasHiddenCalls', ${HAS_HIDDEN_CALLS});
     END`,
  'What the transaction has locked, and what it has written in the catalogs outside the tenant schema.',
  BY_INDEX,
);

const FORM_OF = routine(
  'form_of(relation oid) RETURNS text',
  `BEGIN
       RETURN (SELECT ${FORM} FROM pg_catalog.pg_class r WHERE r.oid = relation);
     END`,
  'A digest of all of a relation that others may rely on, without what a foreign key to it adds.',
  BY_INDEX,
);

const STAY_WITHIN = routine(
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
         WHEN starts_with(held.name, 'tenantctl.') AND ${isWriteToStateSql(`substr(held.name, ${'tenantctl.'.length + 1})`, 'held.mode')} THEN true
         WHEN held.name ~ '^(tenantctl|information_schema)\\.' THEN held.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
         ELSE NOT EXISTS (SELECT FROM unnest(shared) AS s (name) WHERE starts_with(held.name, quote_ident(s.name) || '.'))
           OR held.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
           AND NOT concat_ws(':', held.relation, held.mode, tenantctl.form_of(held.relation)) = ANY (key_locks)
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
         SELECT coalesce(outside, min(r.of_catalog || ' ' || r.of_oid)) INTO outside
         FROM tenantctl.rows_outside(tenant_schema, 0::bigint, largest,
           coalesce(nullif(current_setting('tenantctl.writes', true), ''), '{}')::json, columns) r
         WHERE r.of_catalog <> 'pg_type' OR strpos(noted, ',pg_type:' || r.of_oid || ',') = 0;
       END IF;
       IF outside IS NOT NULL THEN
         RAISE EXCEPTION '% was reached from %', outside, tenant_schema USING ERRCODE = 'TCT03';
       END IF;
     END`,
  'Fails where the transaction has locked a relation outside the tenant schema otherwise than to read and write rows of shared ones, or has dropped one; and thoroughly, where it has written a catalog row of anything outside.',
);

/**
 * The guard's server-side routines (docs/decisions/0014-the-guard-asks-the-server.md). `stay_within`
 * identifies a relation by its name: joining the catalogs would cost as much as a small migration. A relation
 * that no longer exists was the tenant's if the schema held it at the start, and temporary if its oid is
 * larger than any then.
 */
export function guardRoutines(names: Names): Routine[] {
  return [
    OWN_OBJECTS,
    NOTE_OWN,
    SCHEMA_BEFORE,
    isOtherTenantsRoutine(names),
    ROWS_OUTSIDE,
    EFFECTS,
    FORM_OF,
    STAY_WITHIN,
  ];
}
