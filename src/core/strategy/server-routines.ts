import { literal } from '../../db/sql.ts';
import { DEALLOCATE_BODY } from '../../db/transaction.ts';
import type { Names } from '../../names.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { ENTRY_COLUMNS, SINCE_BEGIN_MS } from '../ledger/record-in-run.ts';
import { HISTORY_TRIGGER } from '../stamps/history-trigger.ts';
import { historyOf } from '../stamps/server-routines.ts';
import { isScriptNameSql } from '../files/script-name.ts';
import { BY_INDEX, routine, type Routine } from '../state/routine.ts';
import { lockKey } from '../../db/advisory-lock.ts';
import { lockOfSql } from '../target/lock.ts';

/** Routines: what other runs have done; `enter` and `leave`, the two ends of a one-string transaction. */
export function serveRoutines(names: Names): Routine[] {
  return [
    peersRoutine(names),
    enterRoutine(names),
    ASSERT_OUTDATED,
    FORGET_SCRIPTS,
    ...endRoutines(names),
    DEALLOCATE_ROUTINE,
  ];
}

const ASSERT_OUTDATED = routine(
  'assert_outdated(tenant_schema text, scripts text[], checksums text[])',
  `BEGIN
     IF EXISTS (
       SELECT FROM tenantctl.tenants k
       JOIN tenantctl.scripts s ON s.tenant = k.id AND s.kind = 'repeatable'
       JOIN pg_namespace n ON n.oid = s.schema_oid AND n.nspname = k.schema_name
       JOIN unnest(scripts, checksums) w (name, checksum) ON w.name = s.name AND w.checksum = s.checksum
       WHERE k.schema_name = tenant_schema AND k.gone_at IS NULL) THEN
       RAISE EXCEPTION '% has a script that the run was going to apply', tenant_schema USING ERRCODE = 'TCT02';
     END IF;
   END`,
  'An error where a tenant has one of these scripts as it is: another run was faster. The history does not tell that.',
);

const FORGET_SCRIPTS = routine(
  'forget_scripts(tenant_schema text)',
  `BEGIN
     DELETE FROM tenantctl.scripts s WHERE s.kind = 'repeatable' AND s.tenant = (
       SELECT k.id FROM tenantctl.tenants k WHERE k.schema_name = tenant_schema AND k.gone_at IS NULL);
   END`,
  'After a migration, or its undoing, a tenant has no repeatable scripts: it may have dropped what they make.',
);

const DEALLOCATE_ROUTINE = routine(
  'deallocate()',
  DEALLOCATE_BODY,
  'Removes the statements that a migration has prepared in its session.',
);

function peersRoutine(names: Names): Routine {
  const { table, schema, status } = registrySql(names);
  return routine(
    'peers(schemas text[]) RETURNS TABLE (schema_name text, status text, digest uuid, is_locked boolean)',
    `BEGIN
       RETURN QUERY
         WITH stamped AS MATERIALIZED (
           SELECT s.schema_name, s.digest FROM tenantctl.trusted_stamps s
           WHERE s.history_oid = ANY (ARRAY(SELECT ${historyOf(names)}::oid FROM unnest(schemas) AS w (tenant_schema)))
         ), held AS MATERIALIZED (
           SELECT (l.classid::bigint << 32) | l.objid::bigint AS key FROM pg_locks l
           WHERE l.locktype = 'advisory' AND l.objsubid = 1
             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
         )
         SELECT w.name, t.${status}::text, s.digest,
                EXISTS (SELECT FROM held h WHERE h.key = ${lockKey(lockOfSql('w.name'))})
         FROM unnest(schemas) AS w (name)
         LEFT JOIN ${table} t ON t.${schema}::text = w.name
         LEFT JOIN stamped s ON s.schema_name = w.name;
     END`,
    'What runs beside this one have made of tenants: their status, what their stamps say, and whether somebody is at work on them.',
    BY_INDEX,
  );
}

function enterRoutine(names: Names): Routine {
  const { table, schema, status } = registrySql(names);
  return routine(
    'enter(tenant_schema text, tenant_role text, expected uuid, statuses text[], settings text[])',
    `DECLARE
       known bigint;
       history_table oid;
       seen record;
       ignored text;
     BEGIN
       FOR nth IN 1 .. cardinality(settings) BY 2 LOOP
         ignored := set_config(settings[nth], settings[nth + 1], true);
       END LOOP;
       IF NOT pg_try_advisory_xact_lock(${lockKey(lockOfSql('tenant_schema'))}) THEN
         RAISE EXCEPTION 'another run is at work on %', tenant_schema USING ERRCODE = 'TCT01';
       END IF;
       SELECT k.id INTO known FROM tenantctl.tenants k WHERE k.schema_name = tenant_schema AND k.gone_at IS NULL;
       IF known IS NULL OR EXISTS (SELECT FROM tenantctl.intents i WHERE i.tenant = known)
         OR EXISTS (SELECT FROM tenantctl.verb_intents i WHERE i.tenant = known)
         OR NOT EXISTS (SELECT FROM ${table} t WHERE t.${schema}::text = enter.tenant_schema AND t.${status}::text = ANY (enter.statuses)) THEN
         RAISE EXCEPTION '% is not as it was when the run was planned', tenant_schema USING ERRCODE = 'TCT02';
       END IF;
       IF tenant_role IS NOT NULL THEN
         PERFORM tenantctl.assert_trusted(tenant_schema, tenant_role);
       END IF;
       history_table := ${historyOf(names)};
       IF expected IS NULL THEN
         IF history_table IS NULL THEN RETURN; END IF;
         RAISE EXCEPTION '% has a history by now', tenant_schema USING ERRCODE = 'TCT02';
       END IF;
       PERFORM tenantctl.lock_history(tenant_schema);
       IF EXISTS (SELECT FROM tenantctl.trusted_stamps s WHERE s.history_oid = history_table AND s.digest = expected) THEN
         RETURN;
       END IF;
       DELETE FROM tenantctl.stamps WHERE history_oid = history_table;
       seen := tenantctl.read_history(tenant_schema);
       IF seen.digest <> expected OR seen.locked_by_knex THEN
         RAISE EXCEPTION '% has another history than the run was planned for', tenant_schema USING ERRCODE = 'TCT02';
       END IF;
     END`,
    'Begins the work on a tenant: settings (each name followed by its value), lock, and that all is as the plan assumed; an error where it is not.',
  );
}

function endRoutines(names: Names): Routine[] {
  const history = literal(names.tenantHistory);
  return [
    routine(
      'record(tenant_schema text, direction text, names text[], in_batch integer, run bigint, organization text)',
      `BEGIN
       PERFORM set_config('tenantctl.writer', txid_current()::text, true);
       IF direction = 'up' THEN
         EXECUTE format('INSERT INTO %I.%I (name, batch, migration_time) SELECT n, $2, clock_timestamp() FROM unnest($1) n WHERE NOT ${isScriptNameSql('n').replaceAll("'", "''")}', tenant_schema, ${history}) USING names, in_batch;
       ELSE
         EXECUTE format('DELETE FROM %I.%I WHERE name = ANY ($1)', tenant_schema, ${history}) USING names;
       END IF;
       PERFORM set_config('tenantctl.writer', '', true);
       IF run IS NOT NULL AND names <> '{}' THEN
         INSERT INTO tenantctl.run_tenants (${ENTRY_COLUMNS})
         VALUES (run, (SELECT k.id FROM tenantctl.tenants k WHERE k.schema_name = tenant_schema AND k.gone_at IS NULL), tenant_schema, organization, CASE direction WHEN 'up' THEN 'migrated' ELSE 'rolled-back' END, ${SINCE_BEGIN_MS}, direction, in_batch, names);
       END IF;
     END`,
      'Writes into the history which migrations have been done, and into the ledger of runs also which scripts. Only for these writes the trigger is passed by: it knows them by the id of their transaction, so that a setting that was made for good means nothing.',
    ),
    routine(
      'leave(tenant_schema text, was uuid, becomes uuid, direction text, names text[], in_batch integer, run bigint, organization text)',
      `BEGIN
       CALL tenantctl.record(tenant_schema, direction, names, in_batch, run, organization);
       IF was IS NOT NULL THEN
         UPDATE tenantctl.stamps s SET digest = becomes, written_by = (txid_current() & 4294967295)::text::xid
         WHERE s.history_oid = ${historyOf(names)} AND digest = was
           AND NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = s.history_oid AND t.tgname <> '${HISTORY_TRIGGER}')
           AND NOT EXISTS (SELECT FROM pg_class h WHERE h.oid = s.history_oid AND h.relhasrules);
       END IF;
       IF was IS NULL OR NOT FOUND THEN
         PERFORM tenantctl.stamp(tenant_schema);
       END IF;
     END`,
      'Ends the work on a tenant: its history and its stamp say what has been done.',
    ),
  ];
}
