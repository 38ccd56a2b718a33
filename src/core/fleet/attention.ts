import type { ErrorReport, InvalidIndex } from '../../errors.ts';
import { listedIndexes } from '../target/invalid-indexes.ts';
import type { TenantClass } from '../report/class-counts.ts';
import type { History } from '../target/history.ts';
import type { Plan } from '../plan/plan.ts';
import { refusedSchema } from '../registry/registration-errors.ts';
import { stemOf, type MigrationFolder } from '../files/source.ts';
import { counted, listed } from '../../wording.ts';
import { resolutionCommands, type ResolutionCommands } from '../state/resolution-commands.ts';
import { isSwapped, type FormerNames } from '../state/tenant-ids.ts';
import type { Intent } from '../state/intents.ts';
import { unfinishedProblem, type VerbIntent } from '../state/unfinished-verb.ts';

export type AttentionCode =
  | 'BEHIND'
  | 'FAILED'
  | 'PROVISIONING'
  | 'SCHEMA_MISSING'
  | 'HISTORY_DISAGREES'
  | 'INTERRUPTED'
  | 'UNFINISHED'
  | 'AMBIGUOUS'
  | 'SWAPPED'
  | 'KNEX_LOCKED';

export interface Attention {
  readonly code: AttentionCode;
  readonly problem: string;
}

/** A migration outside a transaction with an unknown outcome, and the commands that record it. */
export interface Interruption extends Intent {
  readonly commands: ResolutionCommands;
}

export function interruptionOf(
  place: { readonly clerkOrgId?: string; readonly schema: string },
  intent: Intent | undefined,
): Interruption | undefined {
  return intent === undefined ? undefined : { ...intent, commands: resolutionCommands(place) };
}

export function interruptionProblem(
  { migration, startedAt, commands }: Interruption,
  invalid: readonly InvalidIndex[],
): string {
  return `${migration} began outside a transaction at ${startedAt.toISOString()}, and how it ended is not known${invalidPart(invalid)}: look, then ${commands.applied} or ${commands.retry}`;
}

function invalidPart(indexes: readonly InvalidIndex[]): string {
  return indexes.length === 0 ? '' : `; INVALID is ${listedIndexes(indexes)}`;
}

interface Seen {
  readonly class: TenantClass;
  readonly status: string;
  /** Absent for a group of tenants. */
  readonly schema?: string | undefined;
  readonly clerkOrgId?: string | undefined;
  readonly sharedBy?: string | null | undefined;
  readonly hasSchema: boolean;
  /** Absent if it is not known. */
  readonly hasHistory?: boolean | undefined;
  readonly history: Pick<History, 'lockedByKnex'>;
  /** What `migrate` would do to it. */
  readonly plan: Pick<Plan, 'problem' | 'lacks'>;
  readonly pending: readonly string[];
  readonly lastError?: ErrorReport | undefined;
  readonly interrupted?: Interruption | undefined;
  /** A verb that has not ended. */
  readonly unfinished?: VerbIntent | undefined;
  /** Its names before both changed at once, or those of the tenant whose schema it has. */
  readonly former?: FormerNames | undefined;
  readonly invalidIndexes?: readonly InvalidIndex[] | undefined;
}

/** Files missing from the history, ignoring extensions. */
export function pendingIn(folder: MigrationFolder, history: Pick<History, 'entries'>): string[] {
  const applied = new Set(history.entries.map((entry) => stemOf(entry.name)));
  return folder.files.filter((file) => !applied.has(file.stem)).map((file) => file.name);
}

export function attentionOf(seen: Seen): Attention | undefined {
  switch (seen.class) {
    case 'notActive':
      return seen.status === 'PROVISIONING' ? PROVISIONING : undefined;
    case 'broken':
      return whyBroken(seen);
    case 'failed':
      return whyFailed(seen);
    case 'behind':
      return lockedByKnex(seen) ?? behind(seen);
    case 'upToDate':
      return lockedByKnex(seen);
  }
}

const PROVISIONING: Attention = {
  code: 'PROVISIONING',
  problem: 'provisioning began and has not ended; if no process works on it, provision it again',
};

const KNEX_LOCKED: Attention = {
  code: 'KNEX_LOCKED',
  problem: "Knex's own lock is set: a Knex process is migrating it, or died while it did",
};

function whyBroken({
  schema = '',
  clerkOrgId = '',
  sharedBy,
  hasSchema,
  plan,
  interrupted,
  unfinished,
  former,
  invalidIndexes = [],
}: Seen): Attention {
  if (unfinished !== undefined) return { code: 'UNFINISHED', problem: unfinishedProblem(unfinished) };
  if (former !== undefined) {
    if (isSwapped({ schema }, former)) {
      const problem = `it has the schema of ${former.clerkOrgId}, which is registered too: their rows may be swapped; tenantctl doctor shows the SQL for both cases`;
      return { code: 'SWAPPED', problem };
    }
    const problem = `both of its names changed at once, if it is the tenant that was ${former.clerkOrgId} (${former.schema}); tenantctl doctor shows the SQL for both cases`;
    return { code: 'AMBIGUOUS', problem };
  }
  if (hasSchema && interrupted !== undefined)
    return { code: 'INTERRUPTED', problem: interruptionProblem(interrupted, invalidIndexes) };
  if (plan.problem !== undefined) return disagreeing(plan.problem);
  const refused = refusedSchema({ clerkOrgId, schema, sharedBy });
  return { code: 'SCHEMA_MISSING', problem: refused?.message ?? 'the schema is missing' };
}

function whyFailed(seen: Seen): Attention {
  const { status, plan, lastError, invalidIndexes = [] } = seen;
  if (status === 'FAILED')
    return { code: 'FAILED', problem: `provisioning failed${lastError ? `: ${lastError.message}` : ''}` };
  if (plan.problem !== undefined) return disagreeing(plan.problem);
  const { code, migration, message = 'its error is no longer recorded' } = lastError ?? {};
  const where = migration === undefined || message.startsWith(migration) ? '' : ` at ${migration}`;
  const what = code === 'CHECK_REFUSED' ? 'no check has passed for it' : `the last run failed${where}`;
  return (
    lockedByKnex(seen) ?? { code: 'FAILED', problem: `${what}: ${message}${invalidPart(invalidIndexes)}` }
  );
}

function disagreeing({ message }: { readonly message: string }): Attention {
  return { code: 'HISTORY_DISAGREES', problem: message };
}

function lockedByKnex({ history }: Seen): Attention | undefined {
  return history.lockedByKnex ? KNEX_LOCKED : undefined;
}

function behind({ pending, plan: { lacks = [] }, hasHistory }: Seen): Attention {
  const missing = [...pending, ...lacks];
  if (missing.length === 0) return { code: 'BEHIND', problem: 'repeatable scripts are new or have changed' };
  const problem = `${counted(missing.length, 'migration')} behind, from ${missing[0]}`;
  const newer = `; other tenants have ${listed(lacks)}, which this folder lacks`;
  const without = hasHistory === false ? 'no history table: ' : '';
  return { code: 'BEHIND', problem: `${without}${problem}${lacks.length === 0 ? '' : newer}` };
}
