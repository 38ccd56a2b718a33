import { TenantctlError } from '../../../errors.ts';

/** The result of the only organization that was asked for. @throws TenantctlError its error; INTERRUPTED */
export function onlyResult<
  Result extends { readonly outcome: string; readonly error?: TenantctlError | undefined },
>({ tenants: [result] }: { readonly tenants: readonly Result[] }): Result {
  if (result?.error !== undefined) throw result.error;
  if (result === undefined || result.outcome === 'skipped')
    throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was served.');
  return result;
}
