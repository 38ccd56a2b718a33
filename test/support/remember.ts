/** The id that tenantctl has for the tenant of a schema, as an SQL expression; the master schema's for "public". */
export function idOf(schema: string): string {
  return schema === 'public'
    ? '0'
    : `(SELECT id FROM tenantctl.tenants WHERE schema_name = '${schema}' AND gone_at IS NULL)`;
}

/** The statement that says of a migration outside a transaction that it has begun, as a run that was killed leaves it. */
export function intentOf(schema: string, migration: string): string {
  return `INSERT INTO tenantctl.intents (tenant, migration, direction) VALUES (${idOf(schema)}, '${migration}', 'up')`;
}

/** The failures that tenantctl remembers: the schema of each tenant, and the command. */
export const REMEMBERED_FAILURES = `SELECT t.schema_name, f.command, f.error FROM tenantctl.tenant_failures f JOIN tenantctl.tenants t ON t.id = f.tenant ORDER BY 1`;
