import type { ErrorReport, InvalidIndex } from '../../errors.ts';
import { listedIndexes } from '../target/invalid-indexes.ts';
import type { TenantGroup } from './fleet-facts.ts';
import type { History } from '../target/history.ts';
import { planForward } from '../plan/plan.ts';
import { compareNames, stemOf, type MigrationFolder } from '../files/source.ts';
import { resolutionCommands, type ResolutionCommands } from '../state/resolution-commands.ts';
import type { Intent } from '../state/intents.ts';

/** Why a tenant needs somebody's attention. */
export type AttentionCode =
  | 'BEHIND'
  | 'FAILED'
  | 'PROVISIONING'
  | 'SCHEMA_MISSING'
  | 'HISTORY_DISAGREES'
  | 'INTERRUPTED'
  | 'KNEX_LOCKED';

/** Why a tenant needs somebody's attention, and in words. */
export interface Attention {
  readonly code: AttentionCode;
  readonly problem: string;
}

/** A migration outside a transaction whose end is not known, and the answers that there are. */
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

export function invalidPart(indexes: readonly InvalidIndex[]): string {
  return indexes.length === 0 ? '' : `; INVALID is ${listedIndexes(indexes)}`;
}

/** What decides whether a tenant, or all tenants of a kind, want attention. */
export interface Seen {
  readonly status: string;
  readonly hasSchema: boolean;
  readonly folder: MigrationFolder;
  readonly history: History;
  readonly pending: readonly string[];
  readonly lastError?: ErrorReport | undefined;
  readonly interrupted?: Interruption | undefined;
  readonly invalidIndexes?: readonly InvalidIndex[];
}

export function asState(
  { status, hasSchema }: Pick<TenantGroup, 'status' | 'hasSchema'>,
  folder: MigrationFolder,
  history: History,
): Seen {
  const pending = hasSchema ? pendingIn(folder, history) : [];
  return { status, hasSchema, folder, history, pending };
}

export function pendingIn(folder: MigrationFolder, history: History): string[] {
  const applied = new Set(history.entries.map((entry) => stemOf(entry.name)));
  return folder.files.filter((file) => !applied.has(file.stem)).map((file) => file.name);
}

export function attentionOf(seen: Seen): Attention | undefined {
  const { folder, history, pending, lastError, interrupted, invalidIndexes = [] } = seen;
  switch (seen.status) {
    case 'FAILED':
      return {
        code: 'FAILED',
        problem: `provisioning failed${lastError === undefined ? '' : `: ${lastError.message}`}`,
      };
    case 'PROVISIONING':
      return {
        code: 'PROVISIONING',
        problem: 'provisioning has begun and not ended; if nothing is at work on it, provision it again',
      };
    case 'ACTIVE':
      break;
    default:
      return undefined;
  }
  if (!seen.hasSchema) return { code: 'SCHEMA_MISSING', problem: 'its schema is missing' };
  if (interrupted !== undefined)
    return { code: 'INTERRUPTED', problem: interruptionProblem(interrupted, invalidIndexes) };
  const { problem } = planForward(folder, history);
  if (problem !== undefined) return { code: 'HISTORY_DISAGREES', problem: problem.message };
  if (history.lockedByKnex) {
    return {
      code: 'KNEX_LOCKED',
      problem: "Knex's own lock is set: a Knex is migrating it, or died while it did",
    };
  }
  if (lastError !== undefined) {
    const { migration, message } = lastError;
    const where = migration === undefined || message.startsWith(migration) ? '' : ` at ${migration}`;
    return {
      code: 'FAILED',
      problem: `the last run failed${where}: ${lastError.message}${invalidPart(invalidIndexes)}`,
    };
  }
  if (pending.length > 0) {
    const [first] = pending.toSorted(compareNames);
    return {
      code: 'BEHIND',
      problem: `${pending.length} ${pending.length === 1 ? 'migration' : 'migrations'} behind, from ${first}`,
    };
  }
  return undefined;
}
