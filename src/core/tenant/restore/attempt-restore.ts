import { literal } from '../../../db/sql.ts';
import type { TenantStatus, TenantNames } from '../../../names.ts';
import { advance } from '../../apply/advance.ts';
import type { Applied } from '../../apply/assignment.ts';
import type { Manifest } from '../../backup/manifest.ts';
import { scriptsOf } from '../../files/repeatable.ts';
import type { MigrationFolder } from '../../files/source.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { planForward, toSteps, type ForwardOptions, type Plan } from '../../plan/plan.ts';
import { outdatedFiles, withOutdated } from '../../plan/repeatable.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import type { RegistryShape } from '../../registry/registry-shape.ts';
import { changeStatus } from '../../registry/status.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { Observer } from '../../report/event.ts';
import { grantApplications } from '../../roles/application-roles.ts';
import type { PreparedRole } from '../../roles/prepare-roles.ts';
import type { RunContext } from '../../run/run-context.ts';
import type { Attempt } from '../../serve/work.ts';
import { forgetFailure } from '../../state/failures.ts';
import type { Script } from '../../state/scripts.ts';
import type { VerbIntent } from '../../state/unfinished-verb.ts';
import { endVerb } from '../../state/verb-intents.ts';
import type { History } from '../../target/history.ts';
import { tenantTarget } from '../../target/target.ts';
import { assertOwn, buildTenant, type Build } from '../build/build-tenant.ts';
import { loadBackup, type Loaded } from './load-backup.ts';
import type { RestoreSource } from './restore-source.ts';

/** A tenant whose schema is built anew, and filled from a backup. */
export interface RestoreTask {
  readonly tenant: TenantNames;
  readonly source: RestoreSource;
  /** The owner of the schema; absent if the login role owns it. */
  readonly role: PreparedRole | undefined;
  /** The status that it had; null if it had no row. */
  readonly former: string | null;
  /** Its schema is replaced, and in use until then. */
  readonly isReplaced: boolean;
  /** What its intent remembers. */
  readonly details: VerbIntent['details'];
}

export interface RestoreWork {
  readonly context: RunContext;
  readonly verb: 'restore' | 'unarchive';
  readonly registry: RegistryShape;
  readonly folder: MigrationFolder;
  readonly forward: ForwardOptions;
  readonly allowDrift: boolean;
  readonly observe: Observer;
}

/** What a restoration did, or got to. */
export interface Restored extends Loaded {
  /** The migrations and scripts that were applied after the rows were loaded. */
  readonly applied: readonly string[];
  /** Of a tenant that was replaced: its status, which stays. */
  readonly status?: string;
}

/**
 * Builds the schema by the migrations of the backup, loads its rows, applies what is pending, and makes the tenant
 * ACTIVE: three transactions or more. The tenant is PROVISIONING meanwhile, and its intent keeps others away; whoever
 * restores it again begins anew.
 */
export async function attemptRestore(work: RestoreWork, task: RestoreTask): Promise<Attempt<Restored>> {
  const { context, verb, registry } = work;
  const { tenant } = task;
  const { during, to } = TRANSITIONS[verb];
  return restoreInto(work, task, {
    build: (build) => build,
    statuses: [during],
    closing: [
      assertOwn(tenant.schema, context.run?.id),
      changeStatus(context.database.names, registry, tenant, { from: [during], to }),
      endVerb(tenant.schema),
      forgetFailure(tenant.schema),
      ...recordInLedger(context.run?.id, tenant, { direction: 'up', outcome: OUTCOMES[verb] }),
      // After the history tables, which default privileges would open to the application.
      grantApplications(literal(tenant.schema)),
    ],
  });
}

/** How the schema of a task is begun and ended. */
interface Frame {
  readonly build: (build: Build) => Build;
  /** The statuses of the tenant meanwhile; any if absent. */
  readonly statuses?: readonly TenantStatus[];
  /** Statements that go with the end of the last migration. */
  readonly closing: readonly string[];
}

/** Builds a schema, loads the rows of a backup, and applies what is pending. */
export async function restoreInto(
  work: RestoreWork,
  task: RestoreTask,
  frame: Frame,
): Promise<Attempt<Restored>> {
  const { context, observe, verb, allowDrift, folder } = work;
  const { source, tenant } = task;
  const { manifest } = source;
  const attempt = async (): Promise<Attempt<Restored>> => {
    observe({ type: 'phase', message: `Building ${tenant.schema} for ${tenant.clerkOrgId}` });
    const built = await buildTenant(frame.build(buildOf(work, task)));
    if (built.kind !== 'done') return withoutDone(built);
    const hasScripts = hasSameScripts(folder, manifest);
    const loaded = await loadBackup({
      ...tenant,
      context,
      verb,
      observe,
      allowDrift,
      open: source.open,
      hasScripts,
      isAllowed: ({ kind }) => !hasScripts && SCRIPTED.has(kind),
    });
    if (loaded.kind !== 'done') return withoutDone(loaded);
    observe({ type: 'phase', message: `Migrating ${tenant.clerkOrgId}` });
    const finished = await finish(work, task, frame);
    if (finished.kind !== 'done') return withoutDone(finished);
    return { kind: 'done', done: { ...loaded.done, applied: finished.done.names } };
  };
  const ended = await attempt();
  return ended.kind === 'failed' && !source.mayReopen ? { ...ended, mayRepeat: false } : ended;
}

/** What `buildTenant` is asked for. */
export function buildOf({ context, verb, registry, folder }: RestoreWork, task: RestoreTask): Build {
  const { tenant, source, role, details } = task;
  const { manifest } = source;
  const { from, during } = TRANSITIONS[verb];
  const earlier: readonly TenantStatus[] = from.filter((status) => status !== null);
  return {
    ...tenant,
    context,
    verb,
    role,
    details,
    folder: hasSameScripts(folder, manifest) ? folder : { ...folder, scripts: [] },
    migrations: manifest.migrations.map(({ name }) => name),
    statuses: [...earlier, during],
    opening: [
      changeStatus(context.database.names, registry, tenant, {
        from: earlier.filter((status) => status !== during),
        to: during,
      }),
    ],
  };
}

/** Applies what is pending, and ends the verb with the last of it. */
async function finish(
  work: RestoreWork,
  { tenant, role, source: { manifest } }: RestoreTask,
  { statuses, closing }: Frame,
): Promise<Attempt<Applied>> {
  const { context, verb, folder, forward } = work;
  const { names } = context.database;
  const decide = (history: History, scripts?: readonly Script[]): Plan =>
    withOutdated(planForward(folder, history, forward), outdatedFiles(folder, scripts));
  const target = tenantTarget(names, { ...tenant, owner: role?.name ?? null }, context);
  const attempt = await advance(context, target, {
    direction: 'up',
    verb,
    ...(statuses !== undefined && { statuses }),
    decide: (history, _done, scripts) => decide(history, scripts),
    closing,
    hasState: true,
    hasTables: true,
    planned: [
      ...decide({ entries: manifest.migrations, lockedByKnex: false }).steps,
      ...toSteps(folder.scripts),
    ],
  });
  if (attempt.kind !== 'status') return attempt;
  return { kind: 'failed', error: tenantNotActive(tenant, attempt.status), mayRepeat: false };
}

const OUTCOMES = { restore: 'restored', unarchive: 'unarchived' } as const;

/**
 * Kinds of objects that repeatable scripts make. If the scripts have changed since a backup, those of the folder are
 * applied after the migrations; until then, such objects differ.
 */
const SCRIPTED: ReadonlySet<string> = new Set([
  'function',
  'procedure',
  'aggregate',
  'view',
  'materialized view',
  'rule',
  'rule state',
  'trigger',
  'trigger state',
  'policy',
  'comment',
  'grant',
  'owner',
]);

/** Whether the folder has the repeatable scripts of a backup, each as it was. Pure. */
function hasSameScripts(folder: MigrationFolder, { scripts }: Manifest): boolean {
  const here = new Map(scriptsOf(folder).map(({ name, checksum }) => [name, checksum]));
  return here.size === scripts.length && scripts.every(({ name, checksum }) => here.get(name) === checksum);
}

export function withoutDone<Done>(attempt: Exclude<Attempt<Done>, { kind: 'done' }>): Attempt<never> {
  if (attempt.kind === 'busy' || attempt.kind === 'by-peer') return attempt;
  const { done: _, ...rest } = attempt;
  return rest;
}
