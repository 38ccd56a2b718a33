import { literal } from '../../db/sql.ts';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';
import { tenantId } from './tenant-ids.ts';
import { TOMBSTONES_SINCE } from './version.ts';

/** A tenant that was dropped. */
export interface Tombstone {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly droppedAt: Date;
  /** The backup that was made first, as an absolute path on the machine of that command; null without one. */
  readonly backupFile: string | null;
}

/** Upgrades the table of tenant ids. */
export const TOMBSTONES: readonly string[] = [
  `ALTER TABLE tenantctl.tenants
     ADD COLUMN IF NOT EXISTS dropped_at timestamptz,
     ADD COLUMN IF NOT EXISTS backup_file text`,
  `COMMENT ON COLUMN tenantctl.tenants.dropped_at IS 'When "tenant drop" dropped the tenant; NULL if it did not.'`,
  `COMMENT ON COLUMN tenantctl.tenants.backup_file IS 'The backup that "tenant drop" made first.'`,
];

/**
 * For the transaction that drops a tenant, after all else that refers to it.
 * @param backupFile that of an earlier backup if undefined, as for an ARCHIVED tenant; null for none
 */
export function buryTenant(schema: string, backupFile: string | null | undefined): string {
  const latest = `(SELECT b.file FROM tenantctl.backups b WHERE b.tenant = tenants.id ORDER BY b.id DESC LIMIT 1)`;
  const file = backupFile === undefined ? latest : backupFile === null ? 'NULL' : literal(backupFile);
  return `UPDATE tenantctl.tenants SET gone_at = now(), dropped_at = now(), backup_file = ${file}
    WHERE id = ${tenantId(schema)}`;
}

/** The latest first. @param names organization ids or schema names; all if absent */
export async function readTombstones(
  database: Pick<Database, 'query'>,
  stateVersion: number,
  names?: readonly string[],
): Promise<Tombstone[]> {
  if (stateVersion < TOMBSTONES_SINCE) return [];
  const { rows } = await database.query<Tombstone & { clerkOrgId: string }>(
    `SELECT coalesce(clerk_org_id, '') AS "clerkOrgId", schema_name AS schema, dropped_at AS "droppedAt", backup_file AS "backupFile"
     FROM tenantctl.tenants
     WHERE dropped_at IS NOT NULL AND ($1::text[] IS NULL OR clerk_org_id = ANY ($1) OR schema_name = ANY ($1))
     ORDER BY dropped_at DESC, clerk_org_id COLLATE "C"`,
    [names ?? null],
  );
  return rows;
}

/** What is left of an error that names a forgotten tenant. */
const FORGOTTEN = `jsonb_build_object('code', error -> 'code', 'message', 'The tenant that it named is forgotten.')`;

/** SQL: the error of the row names one of `names.all`. */
const NAMES_FORGOTTEN = `EXISTS (SELECT FROM unnest(names."all") n WHERE error ->> 'tenant' = n OR position('"' || n || '"' IN error ->> 'message') > 0)`;

/**
 * Deletes all that tenantctl remembers of tenants that were dropped: tombstones, backups that were recorded, and their
 * part of the ledger, under former names, too. Backup files stay. A name that another tenant has now is that tenant's.
 */
export async function forgetTombstones(
  database: Pick<Database, 'query'>,
  tombstones: readonly Tombstone[],
): Promise<void> {
  await database.query(
    `WITH forgotten AS (
       DELETE FROM tenantctl.tenants k
       WHERE k.dropped_at IS NOT NULL AND k.schema_name = ANY ($1) AND coalesce(k.clerk_org_id, '') = ANY ($2)
       RETURNING k.id, k.clerk_org_id, k.schema_name
     ), entries AS (
       DELETE FROM tenantctl.run_tenants e USING forgotten f WHERE e.tenant = f.id RETURNING e.clerk_org_id, e.schema_name
     ), backups AS (
       DELETE FROM tenantctl.backups b USING forgotten f WHERE b.tenant = f.id
     ), names AS (
       SELECT coalesce(array_agg(DISTINCT name), '{}') AS "all"
       FROM (SELECT clerk_org_id, schema_name FROM forgotten UNION SELECT clerk_org_id, schema_name FROM entries) had,
            LATERAL (VALUES (had.clerk_org_id), (had.schema_name)) v (name)
       WHERE name <> '' AND NOT EXISTS (SELECT FROM tenantctl.tenants k WHERE name IN (k.clerk_org_id, k.schema_name)
                                        AND k.gone_at IS NULL)
     ), others AS (
       UPDATE tenantctl.run_tenants SET error = ${FORGOTTEN} FROM names
       WHERE tenant NOT IN (SELECT id FROM forgotten) AND ${NAMES_FORGOTTEN}
     )
     UPDATE tenantctl.runs r
     SET options = r.options - ARRAY(SELECT key FROM unnest(ARRAY['organization', 'source']) key WHERE r.options ->> key = ANY (names."all"))
           || CASE WHEN r.options ? 'tenants' THEN jsonb_build_object('tenants', (r.options -> 'tenants') - names."all") ELSE '{}' END,
         error = CASE WHEN ${NAMES_FORGOTTEN} THEN ${FORGOTTEN} ELSE error END
     FROM names
     WHERE r.options -> 'tenants' ?| names."all" OR r.options ->> 'organization' = ANY (names."all")
        OR r.options ->> 'source' = ANY (names."all") OR ${NAMES_FORGOTTEN}`,
    [tombstones.map(({ schema }) => schema), tombstones.map(({ clerkOrgId }) => clerkOrgId)],
  );
}

/** An organization that the registry lacks, because it was dropped. */
export function tenantDropped({ clerkOrgId: tenant, droppedAt, backupFile }: Tombstone): TenantctlError {
  const hint =
    backupFile === null
      ? 'No backup was made then. tenantctl tenant list --dropped shows all that were dropped.'
      : `To restore it: tenantctl tenant restore ${shellWord(backupFile)}`;
  return new TenantctlError(
    'TENANT_UNKNOWN',
    `The tenant "${tenant}" was dropped at ${droppedAt.toISOString()}.`,
    { tenant, hint },
  );
}
