/**
 * Tables of the schema tenantctl, with their indexes and sequences, that tenantctl itself writes in a tenant's
 * transaction; a regular expression for both JavaScript and PostgreSQL. A migration has no business with any table
 * there. Whether it wrote to one of these as well, locks do not show.
 */
const WRITTEN_BY_TENANTCTL = '^(?:histories|run_tenants|stamps|tenants)(?:_|$)';

/** Whether a lock shows that a migration wrote rows of tenantctl's. */
export function isWriteToState({
  schema,
  name,
  mode,
}: Readonly<Record<'mode', string> & Record<'schema' | 'name', string | null>>): boolean {
  return (
    schema === 'tenantctl' &&
    mode === 'RowExclusiveLock' &&
    !new RegExp(WRITTEN_BY_TENANTCTL).test(name ?? '')
  );
}

/** The same in SQL, for a lock on a relation of the schema. @param name in SQL, behind the schema */
export function isWriteToStateSql(name: string, mode: string): string {
  return `(${mode} = 'RowExclusiveLock' AND ${name} !~ '${WRITTEN_BY_TENANTCTL}')`;
}
