import { TenantctlError } from '../../src/errors.ts';

/** The TenantctlError that rejects this promise. Success or another error fails the test. */
export async function refusalOf(work: Promise<unknown>): Promise<TenantctlError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof TenantctlError) return error;
    throw error;
  }
  throw new Error('This should have been refused, and was not.');
}
