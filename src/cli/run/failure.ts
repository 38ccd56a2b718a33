import { TenantctlError } from '../../errors.ts';

/** The error of a run in which targets failed: the target's own if it is one, else how many. */
export function failureOf(
  failures: readonly (TenantctlError | undefined)[],
  total: number,
): TenantctlError | undefined {
  const [first] = failures;
  if (first === undefined) return undefined;
  if (failures.length === 1) return first;
  const sameCode = failures.every((failure) => failure?.code === first.code);
  return new TenantctlError(
    sameCode && first.code === 'LOCK_TIMEOUT' ? 'LOCK_TIMEOUT' : 'TENANTS_FAILED',
    `${failures.length} of ${total} tenants failed.`,
    { hint: "Each tenant's own error says why; run the command again when it is put right." },
  );
}
