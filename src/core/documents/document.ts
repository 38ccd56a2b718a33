import type { ErrorReport, TenantctlError } from '../../errors.ts';

/** What every JSON document holds. The rest depends on the command: docs/json.md. */
export interface DocumentBase {
  readonly command: string;
  readonly ok: boolean;
  readonly error?: ErrorReport;
}

/** The same with the error as JSON documents show it. */
export function withReport<T extends { readonly error?: TenantctlError | undefined }>({
  error,
  ...rest
}: T): Omit<T, 'error'> & { readonly error?: ErrorReport } {
  return error === undefined ? rest : { ...rest, error: error.toJSON() };
}
