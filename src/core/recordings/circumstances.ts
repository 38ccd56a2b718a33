import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { projectKnexVersion } from '../../db/knex/project-knex.ts';
import { asSent } from '../../db/pg-internals.ts';
import { nodeMajor } from '../../node-version.ts';
import { version } from '../../version.ts';
import { DISTRUST } from './trust.ts';

/** To be raised when recordings, or what is sent with them, change between two versions of tenantctl. */
const FORMAT = 2;

/** What a run may do with the kept recordings, and the keys of those that are valid for it. */
export interface Circumstances {
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** How others could change the table; if not empty, it is neither read nor written. */
  readonly distrust: readonly string[];
  /** The key for migrations in SQL; those in code depend on more. */
  readonly sqlKey: string;
  readonly codeKey: string;
}

interface Row {
  readonly facts: unknown;
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  readonly distrust: readonly string[];
}

/** Settings, wherever they are made, that decide how SQL is read, answered or carried out. */
const SETTINGS = `array_nulls backslash_quote bytea_output check_function_bodies default_table_access_method
  default_tablespace default_text_search_config default_toast_compression lc_monetary row_security
  session_replication_role timezone transform_null_equals xmloption`.replaceAll(/\s+/g, ' ');

/**
 * SQL for what the server says of itself, the roles, and the settings. A recording holds texts, not what they mean;
 * still, whatever changes their meaning begins anew.
 */
const FACTS = `
  SELECT jsonb_build_array(
      current_setting('server_version_num'), session_user::text, current_user::text,
      ARRAY(SELECT s.setconfig::text FROM pg_db_role_setting s
            WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
              AND s.setrole IN (0, (SELECT r.oid FROM pg_roles r WHERE r.rolname = session_user))
            ORDER BY s.setdatabase, s.setrole),
      ARRAY(SELECT current_setting(s.name, true) FROM unnest(string_to_array('${SETTINGS}', ' ')) s (name)),
      ARRAY(SELECT concat_ws(' ', e.extname, e.extversion, n.nspname)
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1)) AS facts,
    coalesce(has_table_privilege(t.oid, 'SELECT'), false) AS "mayRead",
    coalesce(has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')
      AND has_table_privilege(t.oid, 'UPDATE'), false) AS "mayWrite",
    ARRAY(${DISTRUST}) AS distrust
  FROM (SELECT to_regclass('tenantctl.recordings')::oid) t (oid)`;

/** @param directory the folder of the migrations, which decides about the project's Knex */
export async function readCircumstances(
  database: Pick<Database, 'query' | 'names'>,
  tenantRole: string | undefined,
  directory: string,
): Promise<Circumstances> {
  const { rows } = await database.query<Row>(FACTS);
  const { facts, mayRead = false, mayWrite = false, distrust = [] } = rows[0] ?? {};
  const sqlKey = digest([FORMAT, version, facts, database.names, tenantRole ?? null]);
  // The text of a date has the process's time zone, for winter and summer, in the process's language. pg may be set to UTC.
  const dates = [new Date(2020, 0), new Date(2020, 6)].flatMap((date) => [String(date), asSent(date)]);
  const codeKey = digest([sqlKey, nodeMajor, projectKnexVersion(directory), dates]);
  return { mayRead, mayWrite, distrust, sqlKey, codeKey };
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
