import type { Database } from '../../../db/database.ts';
import { literal } from '../../../db/sql.ts';
import { tenantCommand, tenantNotActive } from '../../registry/not-active.ts';
import { refusedSchema, tenantExists } from '../../registry/registration-errors.ts';
import { registrySql, statusOf } from '../../registry/registry-sql.ts';
import { tenantUnfinished, type VerbIntent } from '../../state/unfinished-verb.ts';
import { selectVerbIntent } from '../../state/verb-intents.ts';

/** What an organization has before it is restored. */
export interface TargetFacts {
  /** Null if the registry has no row for it. */
  readonly status: string | null;
  /** As in its row; empty without one. */
  readonly schema: string;
  readonly hasSchema: boolean;
  /** Of a verb that has not ended. */
  readonly intent: VerbIntent | null;
}

/** Where to restore a tenant to. */
export interface RestoreTarget {
  readonly clerkOrgId: string;
  readonly schema: string;
  /** The status of the row that it has already; null if there is none. */
  readonly status: string | null;
  /** The status that it had before; of a restoration that was killed, before that one. */
  readonly former: string | null;
  /** It has a schema, which is to be replaced. */
  readonly isReplaced: boolean;
}

/** @param wanted the schema name if there is no row */
export async function readTargetFacts(
  database: Database,
  clerkOrgId: string,
  wanted: string,
): Promise<TargetFacts> {
  const { names } = database;
  const { table, organization, schema, status } = registrySql(names);
  const { rows } = await database.query<{ schema: string; status: string; has_schema: boolean }>(
    `SELECT coalesce(t.${schema}::text, '') AS schema, ${statusOf(names, `t.${status}`)} AS status,
            EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = t.${schema}::text) AS has_schema
     FROM ${table} t WHERE t.${organization}::text = ${literal(clerkOrgId)}`,
  );
  const [row] = rows;
  const own = row === undefined || row.schema === '' ? wanted : row.schema;
  return {
    status: row?.status ?? null,
    schema: row?.schema ?? '',
    hasSchema: row?.has_schema === true,
    intent: await readIntent(database, own),
  };
}

/** Null also where an older tenantctl has made the state. */
async function readIntent(database: Database, schema: string): Promise<VerbIntent | null> {
  const { rows } = await database.query<{ there: boolean }>(
    `SELECT to_regclass('tenantctl.verb_intents') IS NOT NULL AS there`,
  );
  if (rows[0]?.there !== true) return null;
  const found = await database.query<{ intent: VerbIntent | null }>(
    `SELECT ${selectVerbIntent(schema)} AS intent`,
  );
  return found.rows[0]?.intent ?? null;
}

/**
 * Decides where a tenant is restored to, or why it is not. A tenant whose schema is gone is restored as well: that is
 * what a backup is for. Pure.
 * @throws TenantctlError TENANT_EXISTS, TENANT_UNFINISHED, TENANT_NOT_ACTIVE, SCHEMA_NAME_TAKEN
 */
export function decideTarget(
  clerkOrgId: string,
  wanted: string,
  facts: TargetFacts,
  replace: boolean,
): RestoreTarget {
  const { status, hasSchema, intent } = facts;
  const schema = facts.schema === '' ? wanted : facts.schema;
  const refused = refusedSchema({ clerkOrgId, schema });
  if (refused !== undefined) throw refused;
  const before = intent?.details.former;
  const former = typeof before === 'string' || before === null ? before : status;
  const target = { clerkOrgId, schema, status, former, isReplaced: false };
  if (intent !== null && intent.verb !== 'restore') throw tenantUnfinished(intent);
  if (intent !== null || status === null) return target;
  if (status === 'ARCHIVED') throw tenantNotActive(target, status);
  if (!hasSchema) return target;
  if (!replace) throw tenantExists(clerkOrgId, schema, hintToReplace(clerkOrgId));
  return { ...target, isReplaced: true };
}

function hintToReplace(clerkOrgId: string): string {
  return `To put the backup in its place: --replace. To restore it as another organization: --as <org>. To see the tenant: ${tenantCommand('show', [clerkOrgId])}`;
}
