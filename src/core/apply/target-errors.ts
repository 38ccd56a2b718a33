import { qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { lockTableOf } from '../target/history.ts';
import type { Target } from '../target/target.ts';

/** A Knex is at work on the schema, or died there. */
export function lockedByKnex(target: Target): TenantctlError {
  const table = qualified(target.schema, lockTableOf(target.historyTable));
  return new TenantctlError(
    'KNEX_LOCKED',
    `Knex's own lock on ${target.schema} is set: a Knex is migrating it, or died while it did.`,
    {
      tenant: target.clerkOrgId,
      hint: `When no Knex is at work there, free it: UPDATE ${table} SET is_locked = 0;`,
    },
  );
}
