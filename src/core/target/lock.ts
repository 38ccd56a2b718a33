export const MASTER_SCHEMA = 'public';
const MASTER_LOCK = 'master';
const TENANT_LOCK = 'tenant:';

/** The name of the advisory lock that keeps a schema to one run at a time. */
export function lockOf(schema: string): string {
  return schema === MASTER_SCHEMA ? MASTER_LOCK : `${TENANT_LOCK}${schema}`;
}

/** The name of a schema's lock, in SQL. @param schema an expression of type text */
export function lockOfSql(schema: string): string {
  return `CASE ${schema} WHEN '${MASTER_SCHEMA}' THEN '${MASTER_LOCK}' ELSE '${TENANT_LOCK}' || ${schema} END`;
}
