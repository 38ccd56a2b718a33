import type { ErrorReport, TenantctlError } from '../../errors.ts';

/** Common to all JSON documents. The rest depends on the command: docs/json.md. */
export interface DocumentBase {
  readonly command: string;
  readonly ok: boolean;
  readonly error?: ErrorReport;
}

interface WithError {
  readonly error?: TenantctlError | undefined;
}

/** With the report of the error for JSON. */
export type Reported<T> = Omit<T, 'error'> & { readonly error?: ErrorReport };

export function withReport<T extends WithError>({ error, ...rest }: T): Reported<T> {
  return error === undefined ? rest : { ...rest, error: error.toJSON() };
}

/** A result with a part for each tenant, whose error is reported. */
export type TenantsDocument<Result extends { readonly tenants: readonly unknown[] }> = Omit<
  Result,
  'tenants'
> & { readonly tenants: readonly Reported<Result['tenants'][number]>[] };

export function tenantsDocument<
  Result extends { readonly run?: number; readonly tenants: readonly WithError[] },
>({ run, tenants, ...rest }: Result): TenantsDocument<Result> {
  const document = { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(withReport) };
  return document as unknown as TenantsDocument<Result>;
}
