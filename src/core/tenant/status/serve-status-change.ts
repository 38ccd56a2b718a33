import type { PoolClient, QueryResult } from 'pg';
import { isLoss } from '../../../db/database-error.ts';
import { literal } from '../../../db/sql.ts';
import { READ_ONLY } from '../../../db/transaction.ts';
import { callHook } from '../../apply/call-hook.ts';
import { hooksFor, type Hooks } from '../../apply/hooks.ts';
import { TenantctlError } from '../../../errors.ts';
import type { Migration } from '../../files/load.ts';
import { tryUnderLock } from '../../commands/try-under-lock.ts';
import { toVerbResult } from '../../commands/verb-result.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import { refusedStatus } from '../../registry/registration-errors.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { changeStatus, statusIn } from '../../registry/status.ts';
import { TRANSITIONS, type StatusChange } from '../../registry/transitions.ts';
import type { Observer } from '../../report/event.ts';
import type { Lanes } from '../../run/lanes.ts';
import type { RunContext } from '../../run/run-context.ts';
import { serve } from '../../serve/serve.ts';
import type { Attempt, Earlier, Outcome } from '../../serve/work.ts';
import { tenantTarget, type Target } from '../../target/target.ts';
import { observeEnd } from '../../serve/observe-end.ts';
import { CHANGED, UNCHANGED, type StatusChangeResult, type StatusTenant } from './status-change-result.ts';

export interface StatusWork {
  readonly change: StatusChange;
  readonly registry: RegistryShape;
  readonly lanes: Lanes;
  readonly observe: Observer;
  /** What earlier work of the run has applied to tenants, by organization. */
  readonly applied?: ReadonlyMap<string, readonly string[]>;
}

interface StatusTask {
  readonly tenant: StatusTenant;
}

/** What an attempt did: it changed the status, or found it changed. */
interface Done {
  readonly isChanged: boolean;
}

/** Changes the status of each tenant under its lock, in a transaction of its own. */
export async function serveStatusChange(
  context: RunContext,
  tenants: readonly StatusTenant[],
  work: StatusWork,
): Promise<StatusChangeResult[]> {
  const { change, lanes, observe, applied } = work;
  const { to } = TRANSITIONS[change];
  const toResult = (outcome: Outcome<StatusTask, Done>) => {
    const more = { applied: applied?.get(outcome.task.tenant.clerkOrgId) ?? [] };
    return toVerbResult(outcome, more, ({ isChanged }) => ({
      outcome: isChanged ? CHANGED[to] : UNCHANGED[to],
    }));
  };
  const { outcomes } = await serve<StatusTask, Done>(
    context,
    tenants.map((tenant) => ({ tenant })),
    {
      lanes,
      observe,
      attempt: ({ tenant }, earlier) => attemptChange(context, work, tenant, earlier),
      onEnd: observeEnd(observe, CHANGED[to], toResult),
      // A tenant's last failure is that of a migration, and decides its class: only the run records these.
      ledger: {
        command: to === 'ACTIVE' ? 'tenant resume' : 'tenant suspend',
        direction: directionOf(to),
        areStanding: true,
      },
    },
  );
  return outcomes.map(toResult);
}

function directionOf(to: 'ACTIVE' | 'SUSPENDED'): 'up' | 'down' {
  return to === 'ACTIVE' ? 'up' : 'down';
}

function attemptChange(
  context: RunContext,
  { change, registry }: StatusWork,
  tenant: StatusTenant,
  { mayBeCommitted }: Earlier<Done>,
): Promise<Attempt<Done>> {
  const { names } = context.database;
  const { clerkOrgId, schema } = tenant;
  const { to } = TRANSITIONS[change];
  const look = `SELECT ${statusIn(names, tenant)} AS status`;
  let atWork: string | undefined;
  const call = async (client: PoolClient, target: Target, hook: Migration | undefined) => {
    if (hook === undefined) return;
    atWork = hook.file.name;
    await callHook(context, client, target, hook);
    atWork = undefined;
  };
  return tryUnderLock(
    context,
    schema,
    async (transaction) => {
      const { client } = transaction;
      const { target, before, after } = await hooksOfChange(context, client, tenant, change, look);
      await call(client, target, before);
      const text = [changeStatus(names, registry, tenant, TRANSITIONS[change]), look].join(';\n');
      const [changed, seen] = (await client.query(text)) as unknown as QueryResult[];
      const isChanged = (changed?.rowCount ?? 0) > 0;
      if (before !== undefined && !isChanged) throw hasChangedStatus(before);
      if (isChanged) {
        if (after !== undefined) {
          await call(client, target, after);
          const { rows } = await client.query<{ status: string }>(look);
          if (rows[0]?.status !== to) throw hasChangedStatus(after);
        }
        const entry = { direction: directionOf(to), outcome: CHANGED[to] };
        const record = recordInLedger(context.run?.id, tenant, entry);
        await transaction.commitWith(after === undefined ? record : [...record, READ_ONLY]);
        return { kind: 'done', done: { isChanged: true } };
      }
      transaction.abandon();
      const now = (seen?.rows[0] as { status: string } | undefined)?.status ?? null;
      if (now === to) return { kind: 'done', done: { isChanged: mayBeCommitted } };
      return { kind: 'failed', error: tenantNotActive(tenant, now), mayRepeat: false };
    },
    (thrown) => {
      const error = refusedStatus(names, clerkOrgId, thrown, to);
      return isLoss(error) ? error : error.with({ migration: atWork });
    },
  );
}

/** Otherwise the result would be wrong: what is changed is read from the status. */
function hasChangedStatus({ file: { name } }: Migration): TenantctlError {
  return new TenantctlError('HOOK_FAILED', `${name} changed the status of its tenant in the registry.`, {
    migration: name,
    hint: 'Leave the status to tenantctl. A hook that throws keeps it as it is.',
  });
}

/**
 * The hooks for a tenant whose status is still as it was, read under its lock. None if it was not provisioned to its
 * end.
 * @param look selects the status
 */
async function hooksOfChange(
  context: RunContext,
  client: PoolClient,
  tenant: StatusTenant,
  change: StatusChange,
  look: string,
): Promise<Hooks & { readonly target: Target }> {
  const { names } = context.database;
  if (context.hooks === undefined) return { target: tenantTarget(names, tenant) };
  const { rows } = await client.query<{ status: string; owner: string | null }>(
    `SELECT seen.status, (SELECT pg_get_userbyid(n.nspowner)::text FROM pg_namespace n
                          WHERE n.nspname = ${literal(tenant.schema)}) AS owner
     FROM (${look}) seen`,
  );
  const { status, owner = null } = rows[0] ?? {};
  const target = tenantTarget(names, { ...tenant, owner }, owner === null ? {} : context);
  const deed = TRANSITIONS[change].to === 'ACTIVE' ? 'resume' : 'suspend';
  const isAsPlanned = TRANSITIONS[deed].from.some((word) => word === status);
  return { target, ...(isAsPlanned && hooksFor(context, target, DEEDS[deed])) };
}

/** In the names of hooks. */
const DEEDS = { suspend: 'Suspend', resume: 'Resume' } as const;
