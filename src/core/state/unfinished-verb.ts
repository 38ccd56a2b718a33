import { TenantctlError } from '../../errors.ts';
import { tenantWord } from '../../wording.ts';

/** What takes more than one transaction for one tenant. */
export type LongVerb = 'drop' | 'archive' | 'unarchive' | 'restore' | 'clone' | 'drift';

/** A verb that has begun for a tenant and has not ended. No other verb but `drop` may touch the tenant. */
export interface VerbIntent {
  readonly clerkOrgId: string;
  readonly verb: LongVerb;
  /** ISO 8601. */
  readonly begunAt: string;
  /** The run in the ledger; null if it could not be recorded. */
  readonly run: number | null;
  /** What the verb needs to continue. `command`: what a person types to run it again. */
  readonly details: { readonly command?: string } & Readonly<Record<string, unknown>>;
}

/** What to type to end it. */
export function commandToEnd({ clerkOrgId, verb, details }: VerbIntent): string {
  return details.command ?? commandFor(verb, clerkOrgId);
}

function commandFor(verb: LongVerb, clerkOrgId: string): string {
  return `tenantctl tenant ${verb} ${clerkOrgId.startsWith('-') ? '-- ' : ''}${tenantWord(clerkOrgId)}`;
}

/** What `status` says of a tenant whose verb has not ended. */
export function unfinishedProblem(intent: VerbIntent): string {
  const { verb, begunAt, clerkOrgId } = intent;
  const drop = verb === 'drop' ? '' : `; or drop it: ${commandFor('drop', clerkOrgId)}`;
  return `its ${verb} began at ${begunAt} and has not ended: run it again: ${commandToEnd(intent)}${drop}`;
}

/** Why a tenant is left alone: another verb has begun and not ended. */
export function tenantUnfinished(intent: VerbIntent): TenantctlError {
  const { verb, begunAt, clerkOrgId: tenant } = intent;
  const drop = verb === 'drop' ? '' : ` Or drop the tenant: ${commandFor('drop', tenant)}`;
  return new TenantctlError(
    'TENANT_UNFINISHED',
    `The ${verb} of "${tenant}" began at ${begunAt} and has not ended: nothing was done to the tenant.`,
    {
      tenant,
      hint: `If no process is at work on it, run it again: ${commandToEnd(intent)}${drop}`,
    },
  );
}

/** @param of the verb at work, which may continue its own; `drop` may end any @throws TenantctlError TENANT_UNFINISHED */
export function assertFinished(intent: VerbIntent | null | undefined, of?: LongVerb): void {
  if (intent === null || intent === undefined || of === 'drop' || intent.verb === of) return;
  throw tenantUnfinished(intent);
}
