import { toDatabaseError } from '../../db/database-error.ts';
import { DIRECT_URL_REMEDY } from '../../db/pooler.ts';
import { qualified } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import type { Intent } from '../state.ts';
import { lockTableOf } from './history.ts';
import type { Step } from './plan.ts';
import { interruptedRemedy } from './record.ts';
import type { Target } from './target.ts';

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

/** A migration outside a transaction was begun by a command that did not live to record its end. */
export function interrupted(target: Target, intent: Pick<Intent, 'migration' | 'direction'>): TenantctlError {
  return new TenantctlError(
    'MIGRATION_INTERRUPTED',
    `${intent.migration} began outside a transaction in ${target.schema}, and how it ended is not known: the command was killed.`,
    {
      tenant: target.clerkOrgId,
      migration: intent.migration,
      hint: interruptedRemedy(target, intent),
    },
  );
}

/** Such a migration needs a session of its own. */
export function poolerInBetween(name: string): TenantctlError {
  return new TenantctlError(
    'POOLER_UNSUPPORTED',
    `${name} runs outside a transaction and needs a session of its own, and a connection pooler is in between.`,
    { migration: name, hint: DIRECT_URL_REMEDY },
  );
}

/** That something remains is more urgent than how the migration is put right, so this hint stands in the other's place. */
export function outsideFailure(error: unknown, step: Step): TenantctlError {
  const { code, message, sqlstate, tenant, migration, statement, details, cause } = toDatabaseError(error, {
    migration: step.name,
  });
  return new TenantctlError(code, message, {
    sqlstate,
    tenant,
    migration,
    statement,
    details,
    cause,
    hint: `${step.name} runs outside a transaction: what it did before it failed remains (an index may be left INVALID). Look, put it right, and run the command again.`,
  });
}
