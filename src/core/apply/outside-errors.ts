import { toDatabaseError } from '../../db/database-error.ts';
import { DIRECT_URL_REMEDY } from '../../db/pooler.ts';
import { messageOf, TenantctlError, type InvalidIndex } from '../../errors.ts';
import { listedIndexes } from '../target/invalid-indexes.ts';
import { remediesOf, resolutionHint } from '../state/resolution-commands.ts';
import type { Step } from '../plan/plan.ts';
import type { Target } from '../target/target.ts';
import type { Direction } from '../files/load.ts';
import type { BegunIntent } from '../state/intents.ts';

/** A migration outside a transaction was started by a command that did not record its end. */
export function interrupted(
  target: Target,
  intent: BegunIntent,
  invalidIndexes: readonly InvalidIndex[],
): TenantctlError {
  const { migration, direction, backend } = intent;
  const why =
    backend === null
      ? 'the command was killed'
      : `the command has lost its lock, and its backend (process ${backend}) is still there`;
  return new TenantctlError(
    'MIGRATION_INTERRUPTED',
    `${migration} began outside a transaction in ${target.schema}, and how it ended is not known: ${why}.${invalidSentence(invalidIndexes)}`,
    {
      tenant: target.clerkOrgId,
      migration,
      hint: resolutionHint(target, { migration, direction }),
      ...listed(invalidIndexes),
    },
  );
}

/** The lock was lost while a migration ran outside a transaction. */
export function lockLost(target: Target, step: Step, direction: Direction, cause: unknown): TenantctlError {
  return new TenantctlError(
    'MIGRATION_INTERRUPTED',
    `The connection that held the lock of ${target.schema} was lost while ${step.name} ran outside a transaction. The migration was stopped, and how far it had come is not known.`,
    {
      tenant: target.clerkOrgId,
      migration: step.name,
      hint: `${resolutionHint(target, { migration: step.name, direction })} The server ends that connection when it hears nothing of it for 50 s: a migration must not keep Node busy for so long.`,
      cause,
    },
  );
}

/** The migration ran, and could not be recorded. The intent stays. */
export function notRecorded(
  target: Target,
  step: Step,
  direction: Direction,
  cause: TenantctlError,
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_INTERRUPTED',
    `${step.name} ran outside a transaction, and that could not be recorded: ${messageOf(cause)}`,
    {
      sqlstate: cause.sqlstate,
      tenant: target.clerkOrgId,
      migration: step.name,
      hint: resolutionHint(target, { migration: step.name, direction }),
      cause,
    },
  );
}

/** CREATE INDEX CONCURRENTLY IF NOT EXISTS accepts an INVALID index of that name. */
export function leftInvalid(
  target: Target,
  step: Step,
  invalidIndexes: readonly InvalidIndex[],
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_FAILED',
    `${step.name} ran, and left INVALID: ${listedIndexes(invalidIndexes)}. An earlier attempt began it, and IF NOT EXISTS is content with that.`,
    { tenant: target.clerkOrgId, migration: step.name, ...listed(invalidIndexes) },
  );
}

/** What a failed migration left behind is more urgent than its own hint, which this one replaces. */
export function outsideFailure(
  error: unknown,
  step: Step,
  invalidIndexes: readonly InvalidIndex[],
): TenantctlError {
  const { code, message, sqlstate, tenant, migration, statement, details, cause } = toDatabaseError(error, {
    migration: step.name,
  });
  const what =
    invalidIndexes.length === 0
      ? 'Look, put it right, and run the command again.'
      : `INVALID is ${listedIndexes(invalidIndexes)}: ${remediesOf(invalidIndexes)} Then run the command again.`;
  return new TenantctlError(code, message, {
    sqlstate,
    tenant,
    migration,
    statement,
    details,
    cause,
    hint: `${step.name} runs outside a transaction: what it did before it failed remains. ${what}`,
    ...listed(invalidIndexes),
  });
}

/** Such a migration needs a session of its own. */
export function poolerInBetween(name: string): TenantctlError {
  return new TenantctlError(
    'POOLER_UNSUPPORTED',
    `${name} runs outside a transaction and needs a session of its own, and a connection pooler is in between.`,
    { migration: name, hint: DIRECT_URL_REMEDY },
  );
}

function invalidSentence(indexes: readonly InvalidIndex[]): string {
  return indexes.length === 0 ? '' : ` It left INVALID: ${listedIndexes(indexes)}.`;
}

function listed(indexes: readonly InvalidIndex[]) {
  return indexes.length === 0 ? {} : { invalidIndexes: indexes };
}

/** What is remembered of the tenant, an interrupted migration perhaps, is under names that it has no more. */
export function tenantAmbiguous(target: Target): TenantctlError {
  return new TenantctlError(
    'TENANT_AMBIGUOUS',
    `Both names of this tenant have changed at once, its organization id and its schema's name: ${target.clerkOrgId}, ${target.schema}. It may be another tenant.`,
    {
      tenant: target.clerkOrgId,
      hint: 'tenantctl doctor says what its names were, and has the statements for either answer.',
    },
  );
}
