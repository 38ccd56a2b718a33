import type { ErrorReport, TenantctlError } from '../../errors.ts';

/** Common to all JSON documents. The rest depends on the command: docs/json.md. */
export interface DocumentBase {
  readonly command: string;
  readonly ok: boolean;
  readonly error?: ErrorReport;
}

/** Replaces the error with its report for JSON. */
export function withReport<T extends { readonly error?: TenantctlError | undefined }>({
  error,
  ...rest
}: T): Omit<T, 'error'> & { readonly error?: ErrorReport } {
  return error === undefined ? rest : { ...rest, error: error.toJSON() };
}
