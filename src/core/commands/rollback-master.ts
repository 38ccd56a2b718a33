import type { PoolClient } from 'pg';
import { counted, listed } from '../../wording.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { forgetFiles } from '../state/checksums.ts';
import { endingOf, type MasterOptions, type MasterResult } from './migrate-master.ts';
import { planBackward, type BackwardExtent, type Plan } from '../plan/plan.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import {
  hasRegistryTable,
  isDefaultRegistry,
  isRegistry,
  readRegistryShape,
} from '../registry/registry-shape.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { stillPlanned, toExtent, type RollbackExtent } from '../plan/rollback-extent.ts';
import { serveMaster } from '../strategy/serve-master.ts';
import { inRun, type CommandRun } from './in-run.ts';
import { ensureState } from '../install/state-schema.ts';
import { readStateVersion } from '../state/version.ts';
import { readMasterHistory } from '../target/history.ts';
import type { Database } from '../../db/database.ts';

export interface RollbackMasterOptions extends MasterOptions {
  readonly extent?: RollbackExtent | undefined;
}

/** Undoes the last batch, or more. @throws TenantctlError REGISTRY_IN_USE if the registry has tenants */
export function rollbackMaster(database: Database, options: RollbackMasterOptions): Promise<MasterResult> {
  return inRun(database, 'rollback master', options, endingOf, rollBackInRun);
}

async function rollBackInRun(commandRun: CommandRun<RollbackMasterOptions>): Promise<MasterResult> {
  const { options, context, run, observe } = commandRun;
  const { database } = context;
  const started = Date.now();
  const { folder, plan, extent } = await planMasterRollback(database, options);
  if (plan.problem !== undefined) throw plan.problem;
  if (plan.steps.length === 0) return { names: [], batch: 0, durationMs: Date.now() - started };
  await assertSessions(context, plan.steps, 'down');
  await ensureState(database, await readStateVersion(database));
  await run.begin(plan.steps.map(({ name }) => name));

  const tenants = await tenantNames(database);
  const { names, batch } = await serveMaster(context, plan, observe, {
    direction: 'down',
    decide: (history, undone) => stillPlanned(planBackward(folder, history, extent), plan, undone, history),
    // An empty registry may be dropped. The lock keeps new tenants out.
    opening: tenants.length === 0 ? (client) => lockEmptyRegistry(client, database.names) : undefined,
    async beforeCommit(client) {
      if (tenants.length > 0 && !(await hasRegistryTable(client, database.names)))
        throw registryInUse(tenants);
    },
    hasState: true,
  });
  await forgetFiles(database, 'master', names);
  return { names, batch, durationMs: Date.now() - started };
}

/** Decides what to undo in the master schema. */
export async function planMasterRollback(
  database: Database,
  options: RollbackMasterOptions,
): Promise<{ folder: MigrationFolder; plan: Plan; extent: BackwardExtent }> {
  const folder = await readMigrationFolder(options.folder);
  const extent = toExtent(folder, options.extent);
  const plan = planBackward(folder, await readMasterHistory(database), extent);
  // The first migration creates the default registry: refuse now rather than roll back later.
  const undoesFirst = plan.steps.some((step) => step.file === folder.files[0]);
  if (undoesFirst && isDefaultRegistry(database.names)) {
    const tenants = await tenantNames(database);
    if (tenants.length > 0) throw registryInUse(tenants);
  }
  return { folder, plan, extent };
}

async function tenantNames(database: Database): Promise<string[]> {
  if ((await readRegistryShape(database)) === undefined) return [];
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
  const { rows } = await client.query(
    `SELECT FROM pg_class c WHERE ${isRegistry(names, 'c')} AND c.relkind IN ('r', 'p')`,
  );
  if (rows.length === 0) return;
  await client.query(`LOCK TABLE ${registrySql(names).table} IN SHARE MODE`);
  const late = await readNames(client, names);
  if (late.length > 0) throw registryInUse(late);
}

function registryInUse(tenants: readonly string[]): TenantctlError {
  return new TenantctlError(
    'REGISTRY_IN_USE',
    `This would drop the registry while it holds ${counted(tenants.length, 'tenant')}: ${listed(tenants, 10)}.`,
    {
      hint: 'Roll back to a later migration (--to <name>), or remove the tenants first. Nothing was changed.',
    },
  );
}
