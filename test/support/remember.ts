/** SQL expression for tenantctl's id of a schema's tenant; "public" means the master schema. */
export function idOf(schema: string): string {
  return schema === 'public'
    ? '0'
    : `(SELECT id FROM tenantctl.tenants WHERE schema_name = '${schema}' AND gone_at IS NULL)`;
}

/** SQL for the record of an unfinished migration outside a transaction, as left by a killed run. */
export function intentOf(schema: string, migration: string): string {
  return `INSERT INTO tenantctl.intents (tenant, migration, direction) VALUES (${idOf(schema)}, '${migration}', 'up')`;
}

/** The remembered failures: schema of the tenant, command, error. */
export const REMEMBERED_FAILURES = `SELECT t.schema_name, f.command, f.error FROM tenantctl.tenant_failures f JOIN tenantctl.tenants t ON t.id = f.tenant ORDER BY 1`;
