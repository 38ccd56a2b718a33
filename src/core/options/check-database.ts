import { TenantctlError } from '../../errors.ts';
import { isObject } from '../../rule.ts';

/** JavaScript callers bypass the types. @throws TenantctlError USAGE for anything but an open database */
export function checkDatabase(database: unknown): void {
  if (isObject(database) && typeof database.inTurn === 'function') return;
  const hint = database instanceof Promise ? 'Await openDatabase.' : undefined;
  throw new TenantctlError('USAGE', 'database must be what openDatabase resolves to.', { hint });
}
