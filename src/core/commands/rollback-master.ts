import { startStopwatch } from '../../stopwatch.ts';
import type { PoolClient } from 'pg';
import { counted, listed } from '../../wording.ts';
import { TenantctlError } from '../../errors.ts';
import type { Names } from '../../names.ts';
import { forgetFiles } from '../state/checksums.ts';
import { endingOf, type MasterOptions, type MasterResult } from './migrate-master.ts';
import { filesOf, planBackward, type BackwardExtent, type Plan } from '../plan/plan.ts';
import { assertSessions } from '../apply/outside-transaction.ts';
import { readMigrationFolder, type MigrationFolder } from '../files/source.ts';
import { hasRegistryTable, isDefaultRegistry, isRegistry } from '../registry/registry-shape.ts';
import { registrySql } from '../registry/registry-sql.ts';
import { stillPlanned, toExtent, type RollbackExtent } from '../plan/rollback-extent.ts';
import { serveMaster } from '../strategy/serve-master.ts';
import { droppedOf, mayDropTables, readSharedTables, type SharedTables } from './shared-tables.ts';
import { confirmed, type Confirm } from './confirmed.ts';
import { inRun, type CommandRun } from './in-run.ts';
import { ensureState, readState } from '../install/state-schema.ts';
import { readMasterHistory } from '../target/history.ts';
import type { Database } from '../../db/database.ts';

export interface RollbackMasterOptions extends MasterOptions {
  readonly extent?: RollbackExtent | undefined;
  /**
   * Called, while there are tenants, before tables that they share are dropped. If absent, nobody is asked.
   */
  readonly confirm?: Confirm<MasterLoss> | undefined;
}

/** What a rollback of the master schema destroys while there are tenants. */
export interface MasterLoss {
  /** Tables outside the tenants' schemas. */
  readonly tables: readonly string[];
  /** Migrations of which it cannot be told beforehand which tables they drop: some run outside a transaction. */
  readonly unknown: readonly string[];
  /** Organization ids. */
  readonly tenants: readonly string[];
}

/** Undoes the last batch, or more. @throws TenantctlError REGISTRY_IN_USE if the registry has tenants */
export function rollbackMaster(database: Database, options: RollbackMasterOptions): Promise<MasterResult> {
  return inRun(database, 'rollback master', options, endingOf, rollBackInRun);
}

async function rollBackInRun(commandRun: CommandRun<RollbackMasterOptions>): Promise<MasterResult> {
  const { options, context, run } = commandRun;
  const { database } = context;
  const elapsedMs = startStopwatch();
  const planned = await planMasterRollback(database, options);
  const { plan } = planned;
  if (plan.problem !== undefined) throw plan.problem;
  if (plan.steps.length === 0) return { names: [], batch: 0, durationMs: elapsedMs() };
  await assertSessions(context, plan.steps, 'down');
  const tenants = await tenantNames(database);
  const confirm = tenants.length === 0 ? undefined : options.confirm;
  const migrations = confirm === undefined ? [] : await Promise.all(filesOf(plan.steps).map(context.load));
  const unknown = await mayDropTables(context, migrations);
  if (unknown.length > 0) await confirmed(confirm, { tables: [], unknown, tenants });
  await ensureState(database, await readState(database), commandRun.observe);
  await run.begin(plan.steps.map(({ name }) => name));

  let tables: readonly string[] = [];
  const attempt = (confirmed: readonly string[]) =>
    undo(commandRun, planned, tenants, (dropped) => {
      if (confirm === undefined || unknown.length > 0 || dropped.every((name) => confirmed.includes(name)))
        return;
      tables = dropped;
      throw new TenantctlError(
        'CONFIRMATION_REQUIRED',
        `This drops ${listed(dropped)}. Nothing was changed.`,
        { hint: 'Run the command again, and confirm that.' },
      );
    });
  const { names, batch } = await attempt([]).catch(async (error: unknown) => {
    if (tables.length === 0) throw error;
    await confirmed(confirm, { tables, unknown: [], tenants });
    return attempt(tables);
  });
  await forgetFiles(database, 'master', names);
  return { names, batch, durationMs: elapsedMs() };
}

/** @param onDropped gets the shared tables that a transaction is about to drop; throws to roll it back */
function undo(
  { context, observe }: CommandRun<RollbackMasterOptions>,
  { folder, plan, extent }: MasterRollback,
  tenants: readonly string[],
  onDropped: (tables: readonly string[]) => void,
): ReturnType<typeof serveMaster> {
  const { names } = context.database;
  let before: SharedTables = new Map();
  return serveMaster(context, plan, observe, {
    direction: 'down',
    decide: (history, undone) => stillPlanned(planBackward(folder, history, extent), plan, undone, history),
    async opening(client) {
      // An empty registry may be dropped. The lock keeps new tenants out.
      if (tenants.length === 0) await lockEmptyRegistry(client, names);
      else before = await readSharedTables(client, names);
    },
    async beforeCommit(client) {
      if (tenants.length === 0) return;
      if (!(await hasRegistryTable(client, names))) throw registryInUse(tenants);
      onDropped(await droppedOf(client, before));
    },
    hasState: true,
  });
}

interface MasterRollback {
  readonly folder: MigrationFolder;
  readonly plan: Plan;
  readonly extent: BackwardExtent;
}

export async function planMasterRollback(
  database: Database,
  options: RollbackMasterOptions,
): Promise<MasterRollback> {
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

/** Organization ids; none if there is no registry. */
export async function tenantNames(database: Database): Promise<string[]> {
  if (!(await hasRegistryTable(database, database.names))) return [];
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
