import { toDatabaseError } from '../../db/database-error.ts';
import type { TenantctlError } from '../../errors.ts';

/** Facts, or the error of reading them: other questions are still answered. */
export type Attempt<Facts> =
  | { readonly facts: Facts; readonly error?: undefined }
  | { readonly facts?: undefined; readonly error: TenantctlError };

export async function attempt<Facts>(gather: () => Promise<Facts>): Promise<Attempt<Facts>> {
  try {
    return { facts: await gather() };
  } catch (error) {
    return { error: toDatabaseError(error) };
  }
}
