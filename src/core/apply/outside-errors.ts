import { toDatabaseError } from '../../db/database-error.ts';
import { DIRECT_URL_REMEDY } from '../../db/direct.ts';
import { TenantctlError, type InvalidIndex } from '../../errors.ts';
import { listedIndexes } from '../target/invalid-indexes.ts';
import { unknownEnd } from '../state/interrupted.ts';
import type { Intent } from '../state/intents.ts';
import { remediesOf } from '../state/resolution-commands.ts';
import type { Target } from '../target/target.ts';

type Begun = Pick<Intent, 'migration' | 'direction'>;

/** The lock was lost while the migration ran. */
export function lockLost(target: Target, begun: Begun, cause: unknown): TenantctlError {
  const message = `The connection that held the lock of ${target.schema} was lost while ${begun.migration} ran outside a transaction. The migration was stopped; how far it got is unknown.`;
  const hint =
    'The server closes that connection after 50 s without a reply: a migration must not block Node for that long.';
  return unknownEnd(target, begun, message, { hint, cause });
}

/** The migration's own connection was lost: the server may have done it nevertheless. */
export function connectionLostOutside(target: Target, begun: Begun, cause: TenantctlError): TenantctlError {
  const message = `${cause.message}, while ${begun.migration} ran outside a transaction in ${target.schema}; how far it got is unknown.`;
  return unknownEnd(target, begun, message, { sqlstate: cause.sqlstate, cause });
}

export function notRecorded(
  target: Target,
  begun: Begun,
  reason: string,
  cause: TenantctlError,
): TenantctlError {
  const message = `${begun.migration} ran outside a transaction but could not be recorded: ${reason}`;
  return unknownEnd(target, begun, message, { sqlstate: cause.sqlstate, cause });
}

/** CREATE INDEX CONCURRENTLY IF NOT EXISTS accepts an INVALID index of that name. */
export function leftInvalid(
  target: Target,
  migration: string,
  indexes: readonly InvalidIndex[],
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_FAILED',
    `${migration} ran, and left INVALID: ${listedIndexes(indexes)}. An earlier attempt left it, and IF NOT EXISTS accepts it.`,
    { tenant: target.clerkOrgId, migration, ...listed(indexes) },
  );
}

/** If a failed migration left something behind, a hint about that replaces its own. */
export function outsideFailure(
  error: unknown,
  migration: string,
  indexes: readonly InvalidIndex[],
): TenantctlError {
  const failure = toDatabaseError(error, { migration });
  const what =
    indexes.length === 0
      ? (failure.hint ?? 'Look, put it right, and run the command again.')
      : `INVALID is ${listedIndexes(indexes)}: ${remediesOf(indexes)} Then run the command again.`;
  return new TenantctlError(failure.code, failure.message, {
    ...failure.toJSON(),
    ...listed(indexes),
    cause: failure.cause,
    hint: `${migration} runs outside a transaction: what it did before it failed remains. ${what}`,
  });
}

/** A migration outside a transaction needs its own session. */
export function poolerInBetween(name: string): TenantctlError {
  return new TenantctlError(
    'POOLER_UNSUPPORTED',
    `${name} runs outside a transaction and needs its own session, which a connection pooler prevents.`,
    { migration: name, hint: DIRECT_URL_REMEDY },
  );
}

function listed(indexes: readonly InvalidIndex[]) {
  return indexes.length === 0 ? {} : { invalidIndexes: indexes };
}
