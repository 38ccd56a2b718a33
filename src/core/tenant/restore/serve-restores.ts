import { STATUSES, type TenantStatus, type TenantNames } from '../../../names.ts';
import { changeStatus, deleteRow } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import { prepareRoles } from '../../roles/prepare-roles.ts';
import type { Lanes } from '../../run/lanes.ts';
import { recordLoaded } from '../../run/run-context.ts';
import { serve } from '../../serve/serve.ts';
import type { Outcome } from '../../serve/work.ts';
import { observeEnd } from '../../serve/observe-end.ts';
import {
  attemptRestore,
  buildOf,
  type Restored,
  type RestoreTask,
  type RestoreWork,
} from './attempt-restore.ts';
import { discardBuild } from '../build/build-tenant.ts';
import { attemptReplace, discardReplacement } from './replace-tenant.ts';
import { resultOfUntouched, toRestoreResult, type RestoreResult } from './restore-result.ts';
import type { RestoreSource } from './restore-source.ts';

/** A registered tenant to restore. */
export interface RestoreOrder {
  readonly tenant: TenantNames;
  readonly source: RestoreSource;
  /** The status that it had; null if it had no row. */
  readonly former: string | null;
  /** Its schema is to be replaced. */
  readonly isReplaced?: boolean | undefined;
  /** What a person types to run it again. */
  readonly command: string;
}

/** Restores each tenant. Of one that fails, nothing is left: its row is as it was. */
export async function serveRestores(
  work: RestoreWork,
  orders: readonly RestoreOrder[],
  lanes: Lanes,
): Promise<RestoreResult[]> {
  const { context, observe, verb } = work;
  const registrations = orders.map(({ tenant: { clerkOrgId, schema } }) => ({
    clerkOrgId,
    schema,
    status: TRANSITIONS[verb].during,
    isNew: true,
    isKnown: true,
  }));
  const roles = await prepareRoles(context, registrations);
  const tasks: RestoreTask[] = [];
  const results: RestoreResult[] = [];
  for (const { tenant, source, former, isReplaced = false, command } of orders) {
    const role = roles.get(tenant.schema);
    if (role !== undefined && 'error' in role) results.push(resultOfUntouched(tenant, 'failed', role.error));
    else tasks.push({ tenant, source, role, former, isReplaced, details: { command, former } });
  }
  const toResult = (outcome: Outcome<RestoreTask, Restored>) => toRestoreResult(outcome, DONE[verb]);
  const { outcomes } = await serve<RestoreTask, Restored>(context, tasks, {
    lanes,
    observe,
    ledger: { command: `tenant ${verb}`, direction: 'up', areStanding: true },
    attempt: (task) => (task.isReplaced ? attemptReplace(work, task) : attemptRestore(work, task)),
    onEnd: observeEnd(observe, DONE[verb], toResult, ({ applied }) => applied),
  });
  for (const outcome of outcomes)
    if (outcome.kind === 'done') await recordFiles(work, outcome.task, outcome.done);
    else await discard(work, outcome.task);
  return [...results, ...outcomes.map(toResult)];
}

const DONE = { restore: 'restored', unarchive: 'unarchived' } as const;

/** In a database that sees them for the first time, the checksums of the migrations. */
async function recordFiles(
  { context, folder }: RestoreWork,
  { source: { manifest } }: RestoreTask,
  { applied }: Restored,
): Promise<void> {
  await recordLoaded(context, 'tenants', folder, [
    ...manifest.migrations.map(({ name }) => name),
    ...applied,
  ]);
}

/** Takes back what a failed attempt has left. */
async function discard(work: RestoreWork, task: RestoreTask): Promise<void> {
  const { context, registry, verb, observe } = work;
  const { tenant, former } = task;
  const { names } = context.database;
  const { during } = TRANSITIONS[verb];
  const before = STATUSES.find((status): status is TenantStatus => status === former);
  const row =
    former === null
      ? [deleteRow(names, tenant)]
      : before === undefined || before === during
        ? []
        : [changeStatus(names, registry, tenant, { from: [during], to: before })];
  const build = buildOf(work, task);
  const attempt = await (task.isReplaced ? discardReplacement(build) : discardBuild(build, row));
  if (attempt.kind === 'done') return;
  const why = attempt.kind === 'failed' ? `: ${attempt.error.message}` : '.';
  observe({
    type: 'warning',
    message: `What was made of ${tenant.clerkOrgId} could not be dropped${why} The next attempt drops it.`,
  });
}
