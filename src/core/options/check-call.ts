import { TenantctlError } from '../../errors.ts';
import { isObject } from '../../rule.ts';
import { checkOptions } from './check-options.ts';

/** Checks the arguments of a public function. @returns as checkOptions @throws TenantctlError USAGE */
export function checkCall<T extends object>(
  database: unknown,
  ...options: Parameters<typeof checkOptions<T>>
): T {
  const checked = checkOptions<T>(...options);
  checkDatabase(database);
  return checked;
}

/** JavaScript callers bypass the types. @throws TenantctlError USAGE for anything but an open database */
export function checkDatabase(database: unknown): void {
  if (isObject(database) && typeof database.inTurn === 'function') return;
  const hint = database instanceof Promise ? 'Await openDatabase.' : undefined;
  throw new TenantctlError('USAGE', 'database must be what openDatabase resolves to.', { hint });
}
