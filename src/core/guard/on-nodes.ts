import type { Database } from '../../db/database.ts';
import { CREATE_WHEN_NEEDED, KEEP_SCHEMAS } from '../../db/citus.ts';
import { literal } from '../../db/sql.ts';
import { BY_INDEX, routine } from '../state/routine.ts';
import type { Target } from '../target/target.ts';

/** The SQLSTATE of tenantctl.assert_spread. */
export const LEFT_BEHIND = 'TCT05';

/**
 * Citus puts a table on the node of its schema only if the statement that creates it comes from the client, not from a
 * block or a function. Otherwise the table stays here, in a schema that is elsewhere: it would not be moved with the
 * others, and no foreign key could refer to it.
 */
export const ASSERT_SPREAD = routine(
  'assert_spread(tenant_schema text)',
  `DECLARE
       left_behind text;
     BEGIN
       -- What a transaction creates or moves, it has locked: its locks are few, and pg_class is as large as the fleet.
       SELECT c.relname INTO left_behind
       FROM (SELECT l.relation FROM pg_lock_status() l
             WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' OFFSET 0) held
       CROSS JOIN LATERAL (SELECT k.oid, k.relname, k.relnamespace FROM pg_class k
             WHERE k.oid = held.relation AND k.relkind IN ('r', 'p') AND k.relpersistence = 'p' OFFSET 0) c
       JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = tenant_schema
       WHERE EXISTS (SELECT FROM pg_dist_schema s WHERE s.schemaid::oid = n.oid)
         AND NOT EXISTS (SELECT FROM pg_dist_partition p WHERE p.logicalrelid = c.oid)
       LIMIT 1;
       IF left_behind IS NOT NULL THEN
         RAISE EXCEPTION 'the table % of % is on the coordinator, and not on the node of its schema', left_behind, tenant_schema USING ERRCODE = '${LEFT_BEHIND}';
       END IF;
     END`,
  'Fails where a table of a schema that a node of Citus has was created in this transaction, and is not there. Only for servers that spread schemas.',
);

/** After CREATE_WHEN_NEEDED, a function that no table needs is still here, and no query of a table on a node could call it. */
export const SPREAD_ROUTINES = routine(
  'spread_routines(own_schema text)',
  `DECLARE
       own regprocedure;
     BEGIN
       FOR own IN
         SELECT p.oid::regprocedure FROM pg_depend d
         JOIN pg_proc p ON p.oid = d.objid AND pg_has_role(p.proowner, 'USAGE')
         WHERE d.refclassid = 'pg_namespace'::regclass AND d.classid = 'pg_proc'::regclass
           AND d.refobjid = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = own_schema)
           AND NOT EXISTS (SELECT FROM pg_dist_object o WHERE o.classid = d.classid AND o.objid = p.oid)
           AND NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = d.classid AND e.objid = p.oid AND e.deptype = 'e')
       LOOP
         BEGIN
           PERFORM create_distributed_function(own);
         EXCEPTION WHEN feature_not_supported OR undefined_table OR undefined_object OR undefined_function THEN
           RAISE WARNING '% is on the coordinator only: %', own, SQLERRM;
         END;
       END LOOP;
     END`,
  'Puts the functions of a schema on the nodes of Citus, but for those that need something that nodes do not have. Only for servers that spread schemas.',
  BY_INDEX,
);

/** What precedes each migration of a transaction on a server that spreads schemas. */
export function beginOnNodes(database: Pick<Database, 'hasNodes'>, target: Pick<Target, 'scope'>): string[] {
  return database.hasNodes ? [CREATE_WHEN_NEEDED, ...keepSchemasHere(database, target)] : [];
}

/** A schema that a master migration creates is no tenant's: it stays on this server, unless the migration says otherwise. */
export function keepSchemasHere(
  { hasNodes }: Pick<Database, 'hasNodes'>,
  { scope }: Pick<Target, 'scope'>,
): string[] {
  return hasNodes && scope === 'master' ? [KEEP_SCHEMAS] : [];
}

/** What ends a transaction that changed a schema, on a server that spreads schemas. */
export function endOnNodes({ hasNodes }: Pick<Database, 'hasNodes'>, { scope, schema }: Target): string[] {
  if (!hasNodes) return [];
  const own = `${literal(schema)}::text`;
  const isSpread = scope === 'tenants' ? [`CALL tenantctl.assert_spread(${own})`] : [];
  return [...isSpread, `CALL tenantctl.spread_routines(${own})`];
}
