import { toDatabaseError } from '../../db/database-error.ts';
import type { TenantctlError } from '../../errors.ts';

/** Facts, or the error of reading them: one question that fails does not take the answers of the others. */
export type Attempt<Facts> =
  | { readonly facts: Facts; readonly error?: undefined }
  | { readonly facts?: undefined; readonly error: TenantctlError };

/** Reads facts, and catches what that throws. */
export async function attempt<Facts>(gather: () => Promise<Facts>): Promise<Attempt<Facts>> {
  try {
    return { facts: await gather() };
  } catch (error) {
    return { error: toDatabaseError(error) };
  }
}
