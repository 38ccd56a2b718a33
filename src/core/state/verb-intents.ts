import { literal } from '../../db/sql.ts';
import { TenantctlError } from '../../errors.ts';
import { tenantWord } from '../../wording.ts';
import { AT_WORK } from './run-at-work.ts';
import { tenantId } from './tenant-ids.ts';

/** What takes more than one transaction for one tenant. */
export type LongVerb = 'drop' | 'archive' | 'unarchive' | 'restore' | 'clone';

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

/** Keyed by the tenant's id in tenantctl.tenants, which survives a rename. */
export const VERB_INTENTS_TABLE: readonly string[] = [
  `CREATE TABLE tenantctl.verb_intents (
     tenant bigint PRIMARY KEY,
     verb text NOT NULL,
     begun_at timestamptz NOT NULL DEFAULT now(),
     run bigint,
     details jsonb NOT NULL DEFAULT '{}')`,
  `COMMENT ON TABLE tenantctl.verb_intents IS
     'A verb of several transactions that has begun for a tenant and not ended. Others leave the tenant alone until then.'`,
];

/**
 * For the first transaction of a verb, under the tenant's lock. If it has begun already, its start stays. `drop` replaces
 * the intent of any verb.
 */
export function beginVerb(
  schema: string,
  { verb, run, details = {} }: Pick<VerbIntent, 'verb'> & { run?: number; details?: VerbIntent['details'] },
): string {
  return `INSERT INTO tenantctl.verb_intents AS i (tenant, verb, run, details)
    VALUES (${tenantId(schema)}, ${literal(verb)}, ${run ?? 'NULL'}, ${literal(JSON.stringify(details))}::jsonb)
    ON CONFLICT (tenant) DO UPDATE SET run = excluded.run, details = excluded.details, verb = excluded.verb,
      begun_at = CASE i.verb WHEN excluded.verb THEN i.begun_at ELSE excluded.begun_at END`;
}

/** For the last transaction of a verb. */
export function endVerb(schema: string): string {
  return `DELETE FROM tenantctl.verb_intents WHERE tenant = ${tenantId(schema)}`;
}

const AS_JSON = `jsonb_build_object('clerkOrgId', coalesce(k.clerk_org_id, i.details ->> 'clerkOrgId', ''), 'verb', i.verb, 'run', i.run,
  'begunAt', to_char(i.begun_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'details', i.details)`;

/** SQL for the VerbIntent of a tenant; NULL if there is none. Read it under the tenant's lock. */
export function selectVerbIntent(schema: string): string {
  return `(SELECT ${AS_JSON} FROM tenantctl.verb_intents i JOIN tenantctl.tenants k ON k.id = i.tenant
           WHERE k.schema_name = ${literal(schema)} AND k.gone_at IS NULL)`;
}

/** SQL that tests whether a tenant's verb belongs to another run, which is still at work. @param run this one */
export function isAtWorkElsewhere(schema: string, run: number | undefined): string {
  return `EXISTS (SELECT FROM tenantctl.verb_intents i JOIN tenantctl.runs r ON r.id = i.run
                  WHERE i.tenant = ${tenantId(schema)} AND r.id IS DISTINCT FROM ${run ?? 'NULL'} AND ${AT_WORK})`;
}

/** SQL for all of them whose runs are not at work any more, by `schema`. */
export const SELECT_LEFT = `SELECT k.schema_name AS schema, i.begun_at AS since, ${AS_JSON} AS details
  FROM tenantctl.verb_intents i JOIN tenantctl.tenants k ON k.id = i.tenant
  WHERE k.gone_at IS NULL AND NOT EXISTS (SELECT FROM tenantctl.runs r WHERE r.id = i.run AND ${AT_WORK})`;

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
