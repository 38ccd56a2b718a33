import { toDatabaseError } from '../../db/database-error.ts';
import type { TenantctlError } from '../../errors.ts';

/** Facts, or the error that stood in their way: one question that cannot be answered leaves the others their answers. */
export type Attempt<Facts> =
  | { readonly facts: Facts; readonly error?: undefined }
  | { readonly facts?: undefined; readonly error: TenantctlError };

/** Gathers facts from the database; what it throws becomes part of the answer. */
export async function attempt<Facts>(gather: () => Promise<Facts>): Promise<Attempt<Facts>> {
  try {
    return { facts: await gather() };
  } catch (error) {
    return { error: toDatabaseError(error) };
  }
}
