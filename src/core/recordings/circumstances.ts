import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { projectKnexVersion } from '../../db/knex/project-knex.ts';
import { nodeMajor } from '../../node-version.ts';
import { version } from '../../version.ts';
import { DISTRUST } from './trust.ts';

/** To be raised when recordings, or what is sent with them, change between two versions of tenantctl. */
const FORMAT = 1;

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

/**
 * SQL for what the server says of itself, the roles, and the settings of configuration, database and role. A
 * recording holds texts, not what they mean; still, whatever changes their meaning shall begin anew.
 */
const FACTS = `
  SELECT jsonb_build_array(
      current_setting('server_version_num'), session_user::text, current_user::text,
      ARRAY(SELECT s.name || '=' || s.reset_val FROM pg_settings s
            WHERE s.context IN ('user', 'superuser') AND s.reset_val IS DISTINCT FROM s.boot_val
              AND s.name <> 'application_name' ORDER BY 1),
      ARRAY(SELECT concat_ws(' ', e.extname, e.extversion, n.nspname)
            FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY 1)) AS facts,
    coalesce(has_table_privilege(t.oid, 'SELECT'), false) AS "mayRead",
    coalesce(has_table_privilege(t.oid, 'SELECT') AND has_table_privilege(t.oid, 'INSERT')
      AND has_table_privilege(t.oid, 'UPDATE'), false) AS "mayWrite",
    ARRAY(${DISTRUST}) AS distrust
  FROM (SELECT to_regclass('tenantctl.recordings')::oid) t (oid)`;

/** The process's time zone, and its language: in a date's text, the zone has a name. In winter and in summer. */
const PLACE = [0, 6].map((month) => String(new Date(2020, month)));

/** @param directory the folder of the migrations, which decides about the project's Knex */
export async function readCircumstances(
  database: Pick<Database, 'query' | 'names'>,
  tenantRole: string | undefined,
  directory: string,
): Promise<Circumstances> {
  const { rows } = await database.query<Row>(FACTS);
  const { facts, mayRead = false, mayWrite = false, distrust = [] } = rows[0] ?? {};
  const sqlKey = digest([FORMAT, version, facts, database.names, tenantRole ?? null]);
  const codeKey = digest([sqlKey, nodeMajor, projectKnexVersion(directory), ...PLACE]);
  return { mayRead, mayWrite, distrust, sqlKey, codeKey };
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
