import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import type { Database } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import { prepareBackupFolder, partialFiles } from '../backup/backup-file.ts';
import { namesOf } from '../commands/in-run.ts';
import { inVerbRun, type FleetVerbOptions, type VerbOptions } from '../commands/in-verb-run.ts';
import { verbResults } from '../commands/verb-result.ts';
import { estimatedRows } from '../fleet/estimated-rows.ts';
import { readSchemaSizes } from '../fleet/schema-sizes.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { checkCall } from '../options/check-call.ts';
import { checkOptions } from '../options/check-options.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import type { Observer } from '../report/event.ts';
import { createLanes, type Concurrency } from '../run/lanes.ts';
import { lockTableOf } from '../target/history.ts';
import { listed } from '../../wording.ts';
import { backupEnding, backupTotals, type BackupResult, type Backups } from './backup/backup-result.ts';
import { selectBackups } from './backup/select-backups.ts';
import { serveBackups, type BackupTarget } from './backup/serve-backups.ts';

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
      const lanes = await createLanes(database, concurrency, observe, tasks.length);
      results.push(...(await serveBackups(context, tasks, { target, lanes, observe, host: hostname() })));
    }
    return { totals: backupTotals(results), notBackedUp, ...verbResults(results, elapsedMs()) };
  });
}

function aboutPartial(folder: string, files: readonly string[]): string {
  return `${folder} has files of backups that were not completed: ${listed(files)}. Delete them, unless another command is writing them now.`;
}

export interface PlannedBackup {
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly tables: number;
  /** As the server estimates them; null if they are on a node. */
  readonly rows: number | null;
  /** On the server's disk, with indexes; null if they could not be measured. A backup is usually smaller. */
  readonly bytes: number | null;
}

export interface BackupPlan extends Pick<Backups, 'notBackedUp'> {
  readonly planned: readonly PlannedBackup[];
  /** Tenants that were asked for and cannot be backed up. */
  readonly refused: readonly BackupResult[];
}

/**
 * What backupTenants would write; nothing is written.
 * @param options.tenants organization ids or schema names; all ACTIVE and SUSPENDED tenants if absent
 * @throws TenantctlError TENANT_UNKNOWN, REGISTRY_ABSENT, REGISTRY_INVALID
 */
export async function planBackups(
  database: Database,
  given: { readonly tenants?: readonly string[] | undefined } = {},
): Promise<BackupPlan> {
  const { tenants: names } = checkCall(database, given);
  await assertRegistry(database);
  const { tasks, results, notBackedUp } = await selectBackups(database, names);
  const schemas = tasks.map(({ schema }) => schema);
  const sizes = await readSchemaSizes(database, schemas);
  const { rows } = await database.query<{ schema: string; tables: number; rows: number | null }>(
    `SELECT n.nspname::text AS schema, count(*)::integer AS tables, sum(${estimatedRows(database)})::float8 AS rows
     FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
     WHERE n.nspname = ANY ($1::name[]) AND c.relname <> $2 GROUP BY 1`,
    [schemas, lockTableOf(database.names.tenantHistory)],
  );
  const estimates = new Map(rows.map((row) => [row.schema, row]));
  const planned = tasks.map(({ clerkOrgId, schema }) => {
    const estimate = estimates.get(schema) ?? { tables: 0, rows: 0 };
    return { clerkOrgId, ...estimate, schema, bytes: sizes.bytes.get(schema) ?? null };
  });
  return { planned, refused: results, notBackedUp };
}
