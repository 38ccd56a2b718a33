import type { PoolClient } from 'pg';
import { checkOptions } from '../options/check-options.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { forgetFiles } from '../state/checksums.ts';
import { createRunContext } from '../run/run-context.ts';
import { advanceMaster, endingOf, type MasterOptions, type MasterResult } from './migrate-master.ts';
import { planBackward, type BackwardExtent, type Plan } from '../plan/plan.ts';
import { assertSessions } from '../apply/sessions-needed.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { silent } from '../report/event.ts';
import { isRegistry, registryColumns } from '../registry/registry.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { stillPlanned, toExtent, type RollbackExtent } from '../plan/rollback-extent.ts';
import { askedOf } from './asked-of.ts';
import { withRun, type RecordedRun } from '../ledger/recorded-run.ts';
import { ensureState } from '../install/state-schema.ts';
import { readStateVersion } from '../state/version.ts';
import { readMasterHistory } from '../target/master-history.ts';
import type { Database } from '../../db/database.ts';

export interface RollbackMasterOptions extends MasterOptions {
  readonly extent?: RollbackExtent | undefined;
}

/**
 * Undoes the last batch of the master history, or more.
 * @throws TenantctlError REGISTRY_IN_USE where that would drop the registry while it has tenants
 */
export async function rollbackMaster(
  database: Database,
  given: RollbackMasterOptions,
): Promise<MasterResult> {
  const options = checkOptions(given, 'folder');
  const facts = {
    command: 'rollback master',
    options: askedOf(options),
    keep: options.keepRuns,
    observe: options.observe ?? silent,
  } as const;
  return withRun(database, facts, options.run, (run) => rollBackInRun(database, options, run), endingOf);
}

async function rollBackInRun(
  database: Database,
  options: RollbackMasterOptions,
  run: RecordedRun,
): Promise<MasterResult> {
  const started = Date.now();
  const context = createRunContext(database, { ...options, run });
  const { folder, plan, extent } = await planMasterRollback(database, options);
  if (plan.problem !== undefined) throw plan.problem;
  if (plan.steps.length === 0) return { names: [], batch: 0, durationMs: Date.now() - started };
  assertSessions(database, await Promise.all(plan.steps.map((step) => context.load(step.file))), 'down');
  await ensureState(database, await readStateVersion(database));
  await run.begin(plan.steps.map(({ name }) => name));

  const tenants = await tenantNames(database);
  const done = await advanceMaster(
    context,
    {
      direction: 'down',
      decide: (history, undone) => stillPlanned(planBackward(folder, history, extent), plan, undone),
      // A registry without tenants may be dropped: nobody is entered into it from here on.
      opening: tenants.length === 0 ? (client) => lockEmptyRegistry(client, database.names) : undefined,
      async beforeCommit(client) {
        if (tenants.length === 0) return;
        const { rows } = await client.query<{ present: boolean }>(
          `SELECT EXISTS (SELECT FROM pg_class c WHERE ${isRegistry(database.names, 'c')}) AS present`,
        );
        if (rows[0]?.present !== true) throw registryInUse(tenants);
      },
      hasState: true,
    },
    options.observe ?? silent,
  );
  if (done.outcome === 'failed') throw done.error ?? new Error('failed without an error');
  await forgetFiles(database, 'master', done.done);
  return { names: done.done, batch: done.batch, durationMs: Date.now() - started };
}

/** The folder, and what of the history a rollback would undo. */
export async function planMasterRollback(
  database: Database,
  options: RollbackMasterOptions,
): Promise<{ folder: MigrationFolder; plan: Plan; extent: BackwardExtent }> {
  const folder = await readMigrationFolder(options.folder);
  const extent = toExtent(folder, options.extent);
  const plan = planBackward(folder, await readMasterHistory(database), extent);
  // The first migration is the one that created the registry: better not to begin than to roll back.
  const undoesFirst = plan.steps.some((step) => step.file === folder.files[0]);
  if (undoesFirst) {
    const tenants = await tenantNames(database);
    if (tenants.length > 0) throw registryInUse(tenants);
  }
  return { folder, plan, extent };
}

async function tenantNames(database: Database): Promise<string[]> {
  if ((await registryColumns(database)) === undefined) return [];
  return readNames(database, database.names);
}

async function readNames(client: Pick<Database, 'query'>, names: Names): Promise<string[]> {
  const { table, organization } = registrySql(names);
  const { rows } = await client.query<{ id: string }>(
    `SELECT coalesce(${organization}::text, '') AS id FROM ${table} ORDER BY 1`,
  );
  return rows.map(({ id }) => id);
}

async function lockEmptyRegistry(client: PoolClient, names: Names): Promise<void> {
  const { rows } = await client.query<{ is_table: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_class c WHERE ${isRegistry(names, 'c')} AND c.relkind IN ('r', 'p')) AS is_table`,
  );
  if (rows[0]?.is_table !== true) return;
  await client.query(`LOCK TABLE ${registrySql(names).table} IN SHARE MODE`);
  const late = await readNames(client, names);
  if (late.length > 0) throw registryInUse(late);
}

function registryInUse(tenants: readonly string[]): TenantctlError {
  const shown = tenants.slice(0, 10).join(', ');
  const more = tenants.length > 10 ? ` and ${tenants.length - 10} more` : '';
  return new TenantctlError(
    'REGISTRY_IN_USE',
    `This would drop the registry while it holds ${tenants.length} ${tenants.length === 1 ? 'tenant' : 'tenants'}: ${shown}${more}.`,
    {
      hint: 'Roll back to a later migration (--to <name>), or remove the tenants first. Nothing was changed.',
    },
  );
}
