import type { Database } from '../../../db/database.ts';
import { confirmed, type Confirm } from '../../commands/confirmed.ts';
import { namesOf } from '../../commands/in-run.ts';
import { inVerbRun, type FleetVerbOptions } from '../../commands/in-verb-run.ts';
import { verbResults } from '../../commands/verb-result.ts';
import { prepareState, readState } from '../../install/state-schema.ts';
import { assertHolds, assertRegistry } from '../../registry/registry-shape.ts';
import { TRANSITIONS } from '../../registry/transitions.ts';
import type { RunOptions } from '../../run/run-context.ts';
import { readLosses, type Loss } from '../common/losses.ts';
import { ownRole } from './own-role.ts';
import {
  endingOf,
  type RemovalResult,
  type Removals,
  type RemovalVerb,
  type RemovedTenant,
} from './removal-result.ts';
import { orWithoutBackup, saveInto } from './save-before-removal.ts';
import { serveRemovals } from './serve-removals.ts';

export interface RemovalOptions extends Omit<FleetVerbOptions, 'repeatableFolder'> {
  /** Called with what goes, before anything is changed. If it throws or returns false, nothing is changed. */
  readonly confirm?: Confirm<readonly Loss[]> | undefined;
}

/** The tenants that a removal was asked for. */
export interface ToRemove {
  readonly tenants: readonly RemovedTenant[];
  /** Of those that need nothing, or must not be changed. */
  readonly results: readonly RemovalResult[];
}

/** What a removal would do. */
export interface RemovalPlan {
  readonly losses: readonly Loss[];
  /** Of the tenants that need nothing, or would be refused. */
  readonly results: readonly RemovalResult[];
}

export async function planRemoval(
  database: Database,
  options: Pick<RunOptions, 'tenantRole'>,
  { tenants, results }: ToRemove,
): Promise<RemovalPlan> {
  return { losses: await lossesOf(database, options, tenants), results };
}

/**
 * Drops or archives tenants, as one run.
 * @param find reads the tenants, before anything is changed
 * @param backupFolder is created if it is missing; no backups if undefined
 */
export function removeInRun(
  database: Database,
  verb: RemovalVerb,
  names: readonly string[],
  find: () => Promise<ToRemove>,
  given: RemovalOptions & { readonly backupFolder?: string | undefined },
): Promise<Removals> {
  const { confirm, backupFolder, ...options } = given;
  const asked = { ...namesOf(names), backupFolder };
  const call = { command: `tenant ${verb}`, options, asked, endingOf } as const;
  return inVerbRun<Removals>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const registry = await assertRegistry(database);
    const { during, to } = TRANSITIONS[verb];
    for (const status of to === null ? [during] : [during, to]) assertHolds(registry, database.names, status);
    const found = await find();
    const results = [...found.results];
    const { tenants } = found;
    observe({ type: 'selected', total: tenants.length + results.length, due: tenants.length });
    if (tenants.length > 0) {
      const save =
        backupFolder === undefined ? undefined : await orWithoutBackup(verb, saveInto(context, backupFolder));
      await confirmed(confirm, await lossesOf(database, context, tenants));
      await prepareState(database, await readState(database), observe);
      await run.begin([]);
      const how = { concurrency: options.concurrency, observe };
      results.push(...(await serveRemovals(context, { verb, registry, save }, tenants, how)));
    }
    return verbResults(results, elapsedMs());
  });
}

function lossesOf(
  database: Database,
  { tenantRole }: Pick<RunOptions, 'tenantRole'>,
  tenants: readonly RemovedTenant[],
): Promise<Loss[]> {
  return readLosses(database, tenants, (tenant) => ownRole({ tenantRole }, tenant));
}
