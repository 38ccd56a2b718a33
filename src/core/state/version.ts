import { TenantctlError } from '../../errors.ts';
import { DEFAULT_NAMES, registryName, type Names } from '../../names.ts';
import type { Database } from '../../db/database.ts';

/** The first version with stamps (src/core/stamps/). */
export const STAMPS_SINCE = 2;

/** The first version with the run ledger (src/core/ledger/). */
export const RUNS_SINCE = 3;

/** The first version whose intents name their backend (src/core/state/intents.ts). */
export const INTENT_BACKENDS_SINCE = 4;

/** The first version with tenant ids (src/core/state/tenant-ids.ts). */
export const TENANT_IDS_SINCE = 8;

/** The first version with the scripts that tenants have (src/core/state/scripts.ts). */
export const SCRIPTS_SINCE = 15;

/** The first version with intents of verbs (src/core/state/verb-intents.ts). */
export const VERB_INTENTS_SINCE = 16;

/** The first version with tombstones (src/core/state/tombstones.ts). */
export const TOMBSTONES_SINCE = 18;

/** 0 if there is no schema tenantctl. @throws TenantctlError NAMES_DIFFER */
export async function readStateVersion(database: Database): Promise<number> {
  try {
    return await readVersion(database, database.names);
  } catch (error) {
    if (isUndefined(error)) return 0;
    throw error;
  }
}

/** PostgreSQL's undefined_table and invalid_schema_name. */
function isUndefined(error: unknown): boolean {
  return error instanceof TenantctlError && ['42P01', '3F000'].includes(error.sqlstate ?? '');
}

/**
 * As readStateVersion, in a transaction, where a missing table may not be an error.
 * @param names not compared if undefined
 */
export async function readVersionIfAny(
  connection: Pick<Database, 'query'>,
  names: Names | undefined,
): Promise<number> {
  const { rows } = await connection.query<{ present: boolean }>(
    `SELECT to_regclass('tenantctl.state_version') IS NOT NULL AS present`,
  );
  return rows[0]?.present === true ? readVersion(connection, names) : 0;
}

async function readVersion(connection: Pick<Database, 'query'>, names: Names | undefined): Promise<number> {
  // to_jsonb: older versions have no column `names`, and only use the default names.
  const { rows } = await connection.query<{ version: number; names: BoundNames | null }>(
    `SELECT version, to_jsonb(v) -> 'names' AS names FROM tenantctl.state_version v
     ORDER BY version DESC, installed_at DESC LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return 0;
  if (names !== undefined) assertSameNames(row.names ?? boundNames(DEFAULT_NAMES), boundNames(names));
  return row.version;
}

/** The names that tenantctl's routines and records depend on, by variable. */
type BoundNames = Readonly<Record<string, string>>;

/** Statuses and the schema prefix are not included: they may change at any time. */
export function boundNames(names: Names): BoundNames {
  const { organization, schema, status } = names.columns;
  return {
    REGISTRY_TABLE: registryName(names),
    REGISTRY_COLUMNS: `organization=${organization},schema=${schema},status=${status}`,
    MASTER_HISTORY_TABLE: names.masterHistory,
    TENANT_HISTORY_TABLE: names.tenantHistory,
  };
}

function assertSameNames(recorded: BoundNames, configured: BoundNames): void {
  const different = Object.keys(configured).filter((variable) => recorded[variable] !== configured[variable]);
  if (different.length === 0) return;
  const shown = (names: BoundNames) =>
    different.map((variable) => `${variable}=${names[variable]}`).join(' ');
  throw new TenantctlError(
    'NAMES_DIFFER',
    `This database is managed with ${shown(recorded)}, and the configuration has ${shown(configured)}. Nothing was changed.`,
    {
      hint: `Set ${shown(recorded)}. If the tables were renamed: tenantctl migrate master --change-names, while no other run is at work.`,
    },
  );
}
