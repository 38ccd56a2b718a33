import { startStopwatch } from '../../stopwatch.ts';
import { forgetFiles } from '../state/checksums.ts';
import { backwardWork } from '../strategy/migration-work.ts';
import { serveMigration } from '../strategy/serve-migration.ts';
import { resultsOfIdle, resultsOfNotActive, stepsDue } from '../fleet/plan-fleet.ts';
import { emptiedBy, planTenantsRollback, type TenantsRollbackOptions } from '../fleet/plan-rollback.ts';
import { createLanes } from '../run/lanes.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { filesOf } from '../plan/plan.ts';
import { stemOf } from '../files/source.ts';
import { fleetResult, untouched, type FleetResult, type TenantResult } from '../report/results.ts';
import { confirmed, type Confirm } from './confirmed.ts';
import { inRun, type CommandRun, type FleetRunOptions } from './in-run.ts';
import { recordFailures } from '../ledger/failures.ts';
import { readSelected, selectFleet } from '../fleet/select-fleet.ts';
import { prepareState, readState, STATE_VERSION } from '../install/state-schema.ts';
import { keptElsewhere } from '../fleet/kept-elsewhere.ts';
import { historyOf, type Member } from '../fleet/member.ts';
import { readClasses } from '../fleet/read-classes.ts';
import { endingOf } from '../ledger/recorded-run.ts';
import { forgetFailure, forgetUndoneRefusal } from '../state/failures.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { History } from '../target/history.ts';
import type { Database } from '../../db/database.ts';

const COMMAND = 'rollback tenants';

export interface RollbackTenantsOptions extends FleetRunOptions, TenantsRollbackOptions {
  /**
   * Called with the tenants that would lose all that they have, by `tenants` or `extent`, before anything is
   * changed. If absent, nobody is asked. Tenants that are migrated meanwhile are not undone.
   */
  readonly confirm?: Confirm<readonly RegisteredTenant[]> | undefined;
}

/**
 * Undoes exactly what a run of `migrate tenants` has applied, each tenant in its own transaction. A tenant
 * with newer migrations fails and stays unchanged; one already undone is up to date.
 * @throws TenantctlError RUN_UNKNOWN, RUN_AT_WORK, RUN_IRREVERSIBLE, and as rollbackTenants does
 */
export function rollbackRun(
  database: Database,
  run: number,
  options: Omit<RollbackTenantsOptions, 'extent'>,
): Promise<FleetResult> {
  return rollbackTenants(database, { ...options, extent: { run } });
}

/**
 * Undoes the fleet's latest deploy: each tenant's last batch where it is part of it; other tenants are
 * skipped, with the reason. With `tenants`, undoes the last batch of these, whoever wrote it; with `extent`,
 * more. Each tenant in its own transaction. Tenants with nothing to undo are up to date; if a `down` throws,
 * the tenant is unchanged.
 * @throws TenantctlError if the run cannot start; a tenant's failure is in the result instead
 */
export function rollbackTenants(database: Database, options: RollbackTenantsOptions): Promise<FleetResult> {
  return inRun(database, COMMAND, options, endingOf, rollBackInRun);
}

async function rollBackInRun(commandRun: CommandRun<RollbackTenantsOptions>): Promise<FleetResult> {
  const { options, context, run, observe } = commandRun;
  const { database } = context;
  const rollback = await planTenantsRollback(database, options);
  const { folder, fleet, plan } = rollback;
  const emptied = emptiedBy(plan, options);
  if (emptied.length > 0) await confirmed(options.confirm, emptied);
  const elapsedMs = startStopwatch();
  const lanes = await createLanes(database, options.concurrency, observe);
  await prepareState(database, await readState(database), observe);
  const { failures } = fleet.scope.memory;
  const steps = stepsDue(plan);
  await context.kept.lookUp(filesOf(steps), 'down');
  await assertSessions(context, steps, 'down');
  if (plan.due.length > 0 || plan.problems.length > 0) await run.begin(steps.map(({ name }) => name));
  await recordFailures(database, run, { command: COMMAND, direction: 'down' }, plan.problems);
  const total = fleet.members.length + fleet.withoutSchema.length + plan.settled;
  observe({ type: 'selected', total, due: plan.due.length });

  const work = backwardWork(rollback, {
    command: COMMAND,
    isNamed: fleet.isNamed,
    closing: ({ tenant: { schema } }) =>
      failures.has(schema)
        ? [forgetFailure(schema), forgetUndoneRefusal(schema, database.names.tenantHistory)]
        : [],
    lanes,
    compile: options.compile,
    observe,
  });
  const { results: served, isShared } = await serveMigration(context, plan.due, work);
  const tenants: TenantResult[] = [
    ...served,
    ...resultsOfNotActive(fleet),
    ...rollback.leftAlone.map((tenant) => untouched(tenant, 'skipped', { reason: tenant.reason })),
    ...resultsOfIdle(plan),
  ];
  const undone = new Set(served.flatMap(({ names }) => names));
  const holders = await forgetUndone(database, undone);
  if (options.extent !== undefined && 'run' in options.extent && options.tenants === undefined) {
    const schemas = new Set(tenants.map(({ schema }) => schema));
    const others = holders.filter(({ tenant }) => !schemas.has(tenant.schema));
    const message = keptElsewhere([...undone], others);
    if (message !== undefined) observe({ type: 'warning', message });
  }
  return fleetResult(tenants, {
    elapsedMs,
    settled: plan.settled,
    signal: options.signal,
    notActive: fleet.notActiveByStatus,
    fleet: await readClasses(database, { ...fleet.scope, stateVersion: STATE_VERSION }, folder, {}, observe),
    shared: isShared,
  });
}

/**
 * Deletes the checksums of files that no tenant's history contains any more: they may be edited.
 * @returns the tenants whose history still contains something of what was undone
 */
async function forgetUndone(database: Database, undone: ReadonlySet<string>): Promise<Member[]> {
  if (undone.size === 0) return [];
  const stems = new Set([...undone].map(stemOf));
  const holds = ({ entries }: History) => entries.some(({ name }) => stems.has(stemOf(name)));
  const selected = await readSelected(database, {});
  const { members } = await selectFleet(database, selected, { isSettled: (history) => !holds(history) });
  const holders = members.filter(({ history }) => holds(history));
  // Stamps also know the histories of tenants that are not ACTIVE.
  const stamped = selected.groups.flatMap((group) => historyOf(group, selected.known) ?? []);
  const histories = [...stamped, ...holders.map(({ history }) => history)];
  const held = new Set(histories.flatMap(({ entries }) => entries.map(({ name }) => stemOf(name))));
  const free = [...undone].filter((name) => !held.has(stemOf(name)));
  await forgetFiles(database, 'tenants', free);
  return holders;
}
