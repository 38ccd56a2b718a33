import { TenantctlError } from '../../errors.ts';

/**
 * Asks before data is lost: no change is made if it throws, or if its answer is false. A callback that ends
 * without an answer agrees.
 */
export type Confirm<Loss> = (loss: Loss) => boolean | void | Promise<boolean | void>;

/** @throws TenantctlError CONFIRMATION_REQUIRED if the answer is false; what `confirm` throws */
export async function confirmed<Loss>(confirm: Confirm<Loss> | undefined, loss: Loss): Promise<void> {
  if ((await confirm?.(loss)) !== false) return;
  throw new TenantctlError('CONFIRMATION_REQUIRED', 'The answer was no: nothing was changed.');
}
