import type { TenantNames } from '../../names.ts';
import type { QueryResultRow } from 'pg';
import type { Database } from '../../db/database.ts';
import { identifier, literal } from '../../db/sql.ts';
import { checkCall } from '../options/check-call.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { readTenants } from '../registry/registry.ts';
import {
  givenRegistryRights,
  givenRights,
  missingRegistryRights,
  missingRights,
} from '../roles/application-rights.ts';
import { applicationRoleUnusable } from './grant-errors.ts';

export interface GrantPlan {
  readonly role: string;
  readonly isRevoked: boolean;
  /** The SQL for the registry. */
  readonly statements: readonly string[];
  /** How many registered tenants there are. */
  readonly total: number;
  /** Tenants where something has to be changed, and those that are being provisioned, with the SQL. */
  readonly tenants: readonly {
    readonly tenant: TenantNames;
    readonly statements: readonly string[];
  }[];
}

/** Schemas in one query. */
const AT_ONCE = 500;

/**
 * What `grantApplication` would do; nothing is changed.
 * @throws TenantctlError APPLICATION_ROLE_UNUSABLE, REGISTRY_ABSENT, REGISTRY_INVALID
 */
export async function readGrantPlan(
  database: Database,
  role: string,
  { revoke = false }: { readonly revoke?: boolean | undefined } = {},
): Promise<GrantPlan> {
  checkCall(database, { role, revoke }, 'role');
  await assertRegistry(database);
  await assertUsable(database, role, revoke);
  const { names } = database;
  const name = literal(role);
  const registered = await readTenants(database);
  const present = registered.filter(({ hasSchema }) => hasSchema).map(({ schema }) => schema);
  const of = { role: name, tenantSchema: 'x.schema' };
  const rights = revoke ? givenRights(of) : missingRights(names, of);
  const bySchema = new Map<string, string[]>();
  for (let at = 0; at < present.length; at += AT_ONCE) {
    const { rows } = await database.query<{ schema: string; statement: string } & QueryResultRow>(
      `SELECT x.schema, m.statement FROM unnest($1::text[]) AS x (schema) CROSS JOIN LATERAL (${rights}) m
       ORDER BY x.schema, m.place, m.statement`,
      [present.slice(at, at + AT_ONCE)],
    );
    for (const { schema, statement } of rows)
      bySchema.set(schema, [...(bySchema.get(schema) ?? []), statement]);
  }
  const registry = revoke ? givenRegistryRights(names, name) : missingRegistryRights(names, name);
  const { rows } = await database.query<{ statement: string }>(registry);
  const tenants = registered.flatMap(({ clerkOrgId, schema, status }) => {
    const statements = bySchema.get(schema) ?? [];
    // Its schema may not be visible yet: its lock is waited for.
    const isDue = statements.length > 0 || (status === 'PROVISIONING' && schema !== '');
    return isDue ? [{ tenant: { clerkOrgId, schema }, statements }] : [];
  });
  return {
    role,
    isRevoked: revoke,
    statements: rows.map(({ statement }) => statement),
    total: registered.length,
    tenants,
  };
}

async function assertUsable(database: Database, role: string, isRevoked: boolean): Promise<void> {
  const { rows } = await database.query<{ isSuper: boolean; isSelf: boolean; owned: string | null }>(
    `SELECT r.rolsuper AS "isSuper", r.rolname = current_user AS "isSelf",
            (SELECT min(n.nspname)::text FROM pg_namespace n
             WHERE n.nspowner = r.oid AND (n.nspname = 'tenantctl' OR n.nspname = ANY ($2))) AS owned
     FROM pg_roles r WHERE r.rolname = $1`,
    [role, (await readTenants(database)).map(({ schema }) => schema)],
  );
  const [found] = rows;
  const another = 'Name the role that the application logs in as. It should own nothing.';
  if (found === undefined) {
    // What a role had is gone with it.
    if (isRevoked) return;
    const hint = `Create it, as an administrator: CREATE ROLE ${identifier(role)} LOGIN PASSWORD '...';`;
    throw applicationRoleUnusable(role, 'does not exist', hint);
  }
  if (found.isSuper) throw applicationRoleUnusable(role, 'is a superuser, who may do everything', another);
  if (found.isSelf) throw applicationRoleUnusable(role, 'is the one that tenantctl itself works as', another);
  if (found.owned !== null) throw applicationRoleUnusable(role, `owns the schema ${found.owned}`, another);
}
