import { isDeepStrictEqual } from 'node:util';
import { TenantctlError } from '../errors.ts';

/**
 * Opens something once for each db of an application, for as long as the application keeps the db: calls on the same
 * db know each other. The options count from the first use on.
 * @returns opens, or returns what is open. It throws TenantctlError USAGE if that has other options.
 */
export function oncePerDb<Db extends object, Options, Opened>(
  open: (db: Db, options: Options | undefined) => Opened,
): (db: Db, options?: Options) => Opened {
  const all = new WeakMap<Db, { readonly options: Options | undefined; readonly opened: Opened }>();
  return (db, options) => {
    const known = all.get(db);
    if (known !== undefined) {
      if (options === undefined || isDeepStrictEqual(options, known.options)) return known.opened;
      throw new TenantctlError('USAGE', 'The tenants of this db are open with other options.', {
        hint: 'Call tenantsOf(db, options) once, before the first withTenant.',
      });
    }
    const opened = open(db, options);
    all.set(db, { options, opened });
    return opened;
  };
}
