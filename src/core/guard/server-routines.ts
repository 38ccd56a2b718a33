import { literal } from '../../db/sql.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { SYSTEM_SCHEMA, tenantSchemaPattern } from '../registry/schema-name.ts';
import { BY_INDEX, routine, type Routine } from '../state/routine.ts';
import { LOCKS } from './before.ts';
import { DROPPABLE, OFTEN_PASSING } from './catalogs.ts';
import { each, extensionOf, isOtherTenants, largestOid, OWN, SELECT_OWN_OBJECTS } from './own-objects.ts';
import { idOf, IS_LOCK_OF_SERVER, LAST_AGE, OWN_LOCKS } from './own-transaction.ts';
import { ROWS_OUTSIDE, SEARCH_CATALOG, WRITES } from './written-rows.ts';
import { FORM } from './description.ts';
import { ASSERT_SPREAD, SPREAD_ROUTINES } from './on-nodes.ts';
import { KEY_LOCK } from './effects.ts';
import { isWriteToStateSql } from './state-tables.ts';
import { HAS_HIDDEN_CALLS } from './hidden-calls.ts';

/** SQL for the foreign keys of the schema's tables; needs `own`. */
const FOREIGN_KEYS = `(SELECT coalesce(json_object_agg(k.oid, k.confrelid::text), '{}')
       FROM own t, ${each('pg_constraint', 'k', `k.conrelid = t.oid AND k.contype = 'f'`)} WHERE t.class = 'pg_class'::regclass)`;

const OWN_OBJECTS = routine(
  'own_objects(tenant_schema text) RETURNS TABLE (of_class oid, of_oid oid)',
  `BEGIN
       RETURN QUERY ${SELECT_OWN_OBJECTS};
     END`,
  'The objects of a schema and their parts.',
  BY_INDEX,
);

/** SQL for an object as one number. */
const objectNumber = (of: string) => `(${of}.class::bigint << 32 | ${of}.oid::bigint)`;

const NOTE_OWN = routine(
  'note_own(tenant_schema text, objects boolean)',
  `DECLARE
       ignored text := set_config('tenantctl.writes', ${WRITES}::text, true);
     BEGIN
       IF objects THEN
         ignored := set_config('tenantctl.largest', ${largestOid(DROPPABLE)}::text, true);
       ELSE
         ignored := set_config('tenantctl.largest', ${largestOid(OFTEN_PASSING)}::text, true);
       END IF;
       -- A schema that is yet to be made holds nothing, which takes long to find out: this must be planned anew.
       IF objects AND to_regnamespace(quote_ident(tenant_schema)) IS NOT NULL THEN
         WITH ${OWN}
         SELECT set_config('tenantctl.own', array_agg(${objectNumber('own')})::text, true) INTO ignored FROM own;
       END IF;
     END`,
  'Notes for stay_within what a tenant schema holds, what is the latest object, and what the session has written so far.',
  BY_INDEX,
);

const SCHEMA_BEFORE = routine(
  'schema_before(tenant_schema text) RETURNS json',
  `BEGIN
       RETURN (WITH ${OWN} SELECT json_build_object(
         'locks', ${LOCKS},
         'own', ARRAY(SELECT concat_ws(':', own.class::regclass, own.oid) FROM own),
         'keys', ${FOREIGN_KEYS},
         'writes', ${WRITES},
         'largest', ${largestOid(['pg_class', 'pg_type'])}::text,
         'since', CASE WHEN txid_current_if_assigned() IS NOT NULL THEN ${idOf(LAST_AGE)}::text END));
     END`,
  'What a tenant schema and its transaction hold before the first migration.',
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
  'effects(tenant_schema text, since bigint, largest bigint, noted bigint[], had_keys boolean, columns boolean) RETURNS json',
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

const classes = (names: readonly string[]) => `(${names.map((name) => `'${name}'::regclass`).join(', ')})`;

/** SQL for whether an object, `held`, was in the schema, or is new. */
const WAS_OWN = `(${objectNumber('held')} = ANY (noted) OR held.oid::bigint > largest
             AND (held.class IN ${classes(OFTEN_PASSING)} OR drops AND held.class IN ${classes(DROPPABLE)}))`;

const WEAK = `('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')`;

const STAY_WITHIN = routine(
  'stay_within(tenant_schema text, shared text[], key_locks text[], drops boolean, thorough boolean, columns boolean)',
  `DECLARE
       own text;
       noted bigint[];
       largest bigint;
       outside text;
     BEGIN
       IF NOT (drops OR thorough) THEN
         IF NOT EXISTS (
           SELECT FROM (
             SELECT l.mode, l.relation::regclass::text AS name
             FROM pg_lock_status() l
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND (l.relation >= '16384' OR l.mode NOT IN ${WEAK})
             OFFSET 0
           ) held
           WHERE NOT starts_with(held.name, quote_ident(tenant_schema) || '.') AND NOT starts_with(held.name, 'pg_toast.')
             AND CASE split_part(held.name, '.', 1)
               WHEN 'tenantctl' THEN held.mode NOT IN ${WEAK} OR ${isWriteToStateSql(`substr(held.name, ${'tenantctl.'.length + 1})`, 'held.mode')}
               ELSE held.mode NOT IN ${WEAK} OR starts_with(held.name, '"') OR split_part(held.name, '.', 1) <> ALL (shared) END) THEN
           RETURN;
         END IF;
       END IF;
       own := quote_ident(tenant_schema) || '.';
       noted := coalesce(nullif(current_setting('tenantctl.own', true), ''), '{}')::bigint[];
       largest := coalesce(nullif(current_setting('tenantctl.largest', true), ''), '0')::bigint;
       -- OFFSET: the name is looked up once.
       SELECT coalesce(held.name, held.class::regclass || ' ' || held.oid) || ' (' || held.mode || ')' INTO outside
       FROM (
         SELECT l.mode, CASE l.locktype WHEN 'relation' THEN 'pg_class'::regclass ELSE l.classid END AS class,
           CASE l.locktype WHEN 'relation' THEN l.relation ELSE l.objid END AS oid,
           CASE l.locktype WHEN 'relation' THEN l.relation::regclass::text END AS name
         FROM pg_lock_status() l
         WHERE l.pid = pg_backend_pid() AND CASE l.locktype
           WHEN 'relation' THEN l.relation >= '16384' OR l.mode NOT IN ${WEAK}
           WHEN 'object' THEN thorough AND l.mode NOT IN ${WEAK} AND ${IS_LOCK_OF_SERVER}
           ELSE false END
         OFFSET 0
       ) held
       WHERE CASE
         WHEN held.name IS NULL THEN
           held.class NOT IN ${classes(['pg_attrdef', 'pg_trigger', 'pg_rewrite', 'pg_policy', 'pg_largeobject'])}
           AND NOT ${WAS_OWN}
         WHEN starts_with(held.name, own) THEN false
         WHEN strpos(held.name, '.') = 0 THEN
           CASE WHEN held.name = held.oid::text THEN (drops OR thorough) AND NOT ${WAS_OWN}
           ELSE held.name LIKE 'pg\\_%' AND held.mode IN ('ExclusiveLock', 'AccessExclusiveLock') END
         WHEN held.name ~ '^(pg_toast|pg_toast_temp_\\d+)\\.' THEN false
         WHEN starts_with(held.name, 'tenantctl.') AND ${isWriteToStateSql(`substr(held.name, ${'tenantctl.'.length + 1})`, 'held.mode')} THEN true
         WHEN held.name ~ '^(tenantctl|information_schema)\\.' THEN held.mode NOT IN ${WEAK}
         ELSE NOT EXISTS (SELECT FROM unnest(shared) AS s (name) WHERE starts_with(held.name, quote_ident(s.name) || '.'))
           OR held.mode NOT IN ${WEAK}
           AND NOT concat_ws(':', held.oid, held.mode, tenantctl.form_of(held.oid)) = ANY (key_locks)
         END
       LIMIT 1;
       IF outside IS NULL AND thorough THEN
         SELECT min(r.of_catalog || ' ' || r.of_oid) INTO outside
         FROM tenantctl.rows_outside(tenant_schema, 0::bigint, largest, nullif(current_setting('tenantctl.writes', true), '')::bigint[], columns) r;
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
    SEARCH_CATALOG,
    ROWS_OUTSIDE,
    EFFECTS,
    FORM_OF,
    STAY_WITHIN,
    ASSERT_SPREAD,
    SPREAD_ROUTINES,
  ];
}
