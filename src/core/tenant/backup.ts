import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { prepareBackupFolder, partialFiles } from '../backup/backup-file.ts';
import { namesOf } from '../commands/in-run.ts';
import { inVerbRun, type FleetVerbOptions, type VerbOptions } from '../commands/in-verb-run.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { tenantNotActive } from '../registry/not-active.ts';
import { findTenants, readTenants, type Tenant } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import type { Observer } from '../report/event.ts';
import { createLanes, ONE_LANE, type Concurrency } from '../run/lanes.ts';
import { listed } from '../../wording.ts';
import { BACKED_UP, backupEnding, backupTotals, type BackupResult, type Backups } from './backup-result.ts';
import { serveBackups, type BackupTarget } from './serve-backups.ts';

export interface BackupOptions extends FleetVerbOptions {
  /** The folder that the files are written to. It is created if it is missing and its parent exists. */
  readonly directory: string;
  /** Organization ids or schema names; all ACTIVE and SUSPENDED tenants if absent. */
  readonly tenants?: readonly string[] | undefined;
}

/**
 * Writes one file for each tenant: docs/backup-format.md. Each is read in one snapshot, under the tenant's lock: no
 * migration runs meanwhile, applications go on. A file is there complete, under its name, or not at all.
 * @throws TenantctlError TENANT_UNKNOWN, FILE_UNUSABLE for the folder, before anything is done. One tenant's failure is in
 *   its result: TENANT_NOT_ACTIVE, TENANT_UNFINISHED, LOCK_TIMEOUT, CONTENT_UNSUPPORTED, RIGHTS_MISSING, SCHEMA_MISSING,
 *   TENANT_CHANGED, FILE_UNUSABLE, DATABASE_ERROR
 */
export async function backupTenants(database: Database, given: BackupOptions): Promise<Backups> {
  const { tenants, directory, concurrency, ...options } = checkCall(database, given, 'directory');
  const folder = resolve(directory);
  return inBackupRun(database, options, { ...namesOf(tenants), directory: folder }, async (observe) => {
    await prepareBackupFolder(folder);
    const partial = await partialFiles(folder);
    if (partial.length > 0) observe({ type: 'warning', message: aboutPartial(folder, partial) });
    return { names: tenants, target: { folder }, concurrency };
  });
}

/**
 * Writes the backup of one tenant to a stream, and ends the stream. If it throws, what was written is no backup.
 * @throws TenantctlError as backupTenants, and why this tenant's backup failed
 */
export async function backupTenantTo(
  database: Database,
  organizationId: string,
  output: Writable,
  given: VerbOptions = {},
): Promise<BackupResult & Pick<Backups, 'run'>> {
  checkOptions({ organizationId }, 'organizationId');
  const options = checkCall(database, given);
  const asked = { tenants: [organizationId], stream: true };
  const { tenants, run } = await inBackupRun(database, options, asked, () =>
    Promise.resolve({ names: [organizationId], target: { output } }),
  );
  const [result] = tenants;
  if (result?.error !== undefined) throw result.error;
  if (result?.outcome !== 'backed-up')
    throw new TenantctlError('INTERRUPTED', 'The run was stopped before the tenant was backed up.');
  return { ...result, ...(run !== undefined && { run }) };
}

interface Wanted {
  readonly names: readonly string[] | undefined;
  readonly target: BackupTarget;
  readonly concurrency?: Concurrency | undefined;
}

async function inBackupRun(
  database: Database,
  options: VerbOptions,
  asked: Readonly<Record<string, unknown>>,
  prepare: (observe: Observer) => Promise<Wanted>,
): Promise<Backups> {
  const call = { command: 'tenant backup', options, asked, endingOf: backupEnding } as const;
  return inVerbRun<Backups>(database, call, async ({ context, run, observe, elapsedMs }) => {
    const { names, target, concurrency } = await prepare(observe);
    await assertRegistry(database);
    const { tasks, results, notBackedUp } = await selectBackups(database, names);
    observe({ type: 'selected', total: tasks.length + results.length, due: tasks.length });
    if (tasks.length > 0) {
      await prepareState(database, await readState(database), observe);
      await run.begin([]);
      const lanes = tasks.length > 1 ? await createLanes(database, concurrency, observe) : ONE_LANE;
      results.push(...(await serveBackups(context, tasks, { target, lanes, observe, host: hostname() })));
    }
    const totals = backupTotals(results);
    return {
      totals,
      notBackedUp,
      tenants: results,
      interrupted: totals.skipped > 0,
      durationMs: elapsedMs(),
    };
  });
}

/** Which tenants are backed up. Of those that are named, one that cannot be is a failure. */
export async function selectBackups(database: Database, names: readonly string[] | undefined) {
  const tenants: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>[] =
    names === undefined ? await readTenants(database) : await findTenants(database, names);
  const groups = Map.groupBy(tenants, ({ status }) => BACKED_UP.some((word) => word === status));
  const [tasks = [], others = []] = [groups.get(true), groups.get(false)];
  const results = names === undefined ? [] : others.map((tenant) => refused(tenant));
  const left =
    names === undefined ? Map.groupBy(others, ({ status }) => status) : new Map<string, unknown[]>();
  return {
    tasks,
    results,
    notBackedUp: Object.fromEntries([...left].map(([status, { length }]) => [status, length])),
  };
}

function refused(tenant: Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>): BackupResult {
  const { clerkOrgId, schema, status } = tenant;
  const error = tenantNotActive(tenant, status);
  return { clerkOrgId, schema, outcome: 'failed', bytes: 0, rows: 0, durationMs: 0, error };
}

function aboutPartial(folder: string, files: readonly string[]): string {
  return `${folder} has files of backups that were not completed: ${listed(files)}. Delete them, unless another command is writing them now.`;
}
