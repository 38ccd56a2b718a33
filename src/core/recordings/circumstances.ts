import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import { projectKnexVersion } from '../../db/knex/project-knex.ts';
import { asSent } from '../../db/pg-internals.ts';
import { nodeMajor } from '../../node-version.ts';
import { timeZone } from '../../time-zone.ts';
import { version } from '../../version.ts';
import { listed } from '../../wording.ts';
import type { MigrationFile } from '../files/source.ts';
import { DISTRUST } from './trust.ts';

/** What a run may do with the kept recordings, and which are valid for it. */
export interface Circumstances {
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  /** A digest of what a recording of this migration depends on besides its files. */
  readonly keyFor: (file: Pick<MigrationFile, 'format'>) => string;
}

interface Row extends Pick<Circumstances, 'mayRead' | 'mayWrite'> {
  readonly facts: unknown;
  /** How others could change the table. */
  readonly distrust: readonly string[];
}

/** What recordings depend on besides the database. */
export interface Surroundings {
  readonly tenantRole: string | undefined;
  /** The folder of the migrations, which decides about the project's Knex. */
  readonly directory: string;
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

/** A table that others could have written is neither read nor written. @param warn is told why */
export async function readCircumstances(
  database: Pick<Database, 'query' | 'names'>,
  { tenantRole, directory }: Surroundings,
  warn: (message: string) => void,
): Promise<Circumstances> {
  const { rows } = await database.query<Row>(FACTS);
  const { facts, mayRead = false, mayWrite = false, distrust = [] } = rows[0] ?? {};
  const isTrusted = distrust.length === 0;
  if (mayRead && !isTrusted) {
    const reasons = distrust.map((reason) => `it ${reason}`);
    warn(`The recordings in tenantctl.recordings are not used: ${listed(reasons)}. See tenantctl doctor.`);
  }
  const sqlKey = digest([version, facts, database.names, tenantRole ?? null]);
  // A date as text shows the process's time zone and language. pg may be set to UTC.
  const date = new Date(2020, 6);
  const codeKey = digest([
    sqlKey,
    nodeMajor,
    projectKnexVersion(directory),
    timeZone(),
    String(date),
    asSent(date),
  ]);
  return {
    mayRead: mayRead && isTrusted,
    mayWrite: mayWrite && isTrusted,
    keyFor: ({ format }) => (format === 'sql' ? sqlKey : codeKey),
  };
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex');
}
