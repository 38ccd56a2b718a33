import { createHash } from 'node:crypto';
import { identifier, literal, qualified } from '../../db/sql.ts';
import { lockTableOf } from '../target/history.ts';

/** The trigger on both history tables, and the prefix of its function's name in the tenant's schema. */
export const HISTORY_TRIGGER = 'tenantctl_unstamp';

/** Compared as text: any changed character replaces the function in every tenant. */
export const TRIGGER_BODY = `
BEGIN
  IF to_regclass('tenantctl.stamps') IS NOT NULL THEN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
      INSERT INTO tenantctl.stamps
      VALUES (TG_TABLE_SCHEMA, '00000000-0000-0000-0000-000000000000', TG_RELID, TG_RELID, '0', '0', '0', 0, 0, 0, 0, '0')
      ON CONFLICT DO NOTHING;
    END IF;
    DELETE FROM tenantctl.stamps WHERE TG_RELID IN (history_oid, lock_oid);
  END IF;
  RETURN NULL;
END
`;

const ABOUT =
  'Tells tenantctl that somebody else changed the history of migrations. Does nothing where there is no tenantctl.';

/** How many characters of a digest end the name of the function. */
export const NAME_DIGEST = 10;

/** What follows CREATE or CREATE OR REPLACE. @param name in SQL @param body as a literal in SQL */
export function triggerFunction(name: string, body: string): string {
  return `FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS ${body}`;
}

/** @param name of the function, in SQL */
export function commentOnFunction(name: string): string {
  return `COMMENT ON FUNCTION ${name}() IS ${literal(ABOUT)}`;
}

/** The trigger on one table; both names in SQL. */
export function triggerOn(table: string, functionName: string): string[] {
  return [
    `CREATE TRIGGER ${HISTORY_TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW WHEN (pg_trigger_depth() > 0 OR current_setting('tenantctl.writer', true) IS DISTINCT FROM txid_current()::text) EXECUTE FUNCTION ${functionName}()`,
    `ALTER TABLE ${table} ENABLE ALWAYS TRIGGER ${HISTORY_TRIGGER}`,
  ];
}

/**
 * What tenantctl.put_history_trigger does for tables that have just been created, as plain statements: to plan what the
 * routine asks costs as much as these do. They fail where anything of theirs exists.
 */
export function createHistoryTrigger(schema: string, historyTable: string): string[] {
  const digest = createHash('sha256').update(schema, 'utf8').digest('hex').slice(0, NAME_DIGEST);
  const name = `${identifier(schema)}.${HISTORY_TRIGGER}_${digest}`;
  return [
    `CREATE ${triggerFunction(name, literal(TRIGGER_BODY))}`,
    commentOnFunction(name),
    ...[historyTable, lockTableOf(historyTable)].flatMap((table) =>
      triggerOn(qualified(schema, table), name),
    ),
  ];
}
