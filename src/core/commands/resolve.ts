import { withTransaction } from '../../db/transaction.ts';
import { checkCall } from '../options/check-call.ts';
import type { ErrorCode } from '../../error-code.ts';
import { messageOf, TenantctlError, type InvalidIndex } from '../../errors.ts';
import { recordFiles } from '../state/checksums.ts';
import { DEFAULT_LOCK_TIMEOUT_MS } from '../run/run-context.ts';
import { readInvalidIndexes } from '../target/invalid-indexes.ts';
import type { Assignment } from '../apply/assignment.ts';
import type { History } from '../target/history.ts';
import { lastBatch, NOTHING } from '../plan/plan.ts';
import { recordStep } from '../target/write-history.ts';
import { checksumOf, readMigrationFolder, stemOf } from '../files/source.ts';
import { masterTarget, tenantTarget, type Target } from '../target/target.ts';
import { lookUnderLock, readUnderLock, type Seen } from '../apply/under-lock.ts';
import { silent, type Observer } from '../report/event.ts';
import { refusedSchema } from '../registry/registration-errors.ts';
import { readTenants, selectTenants } from '../registry/registry.ts';
import { assertRegistry } from '../registry/registry-shape.ts';
import { MASTER_NAME } from '../state/resolution-commands.ts';
import { untrustedHistory } from '../apply/untrusted-history.ts';
import { recordInLedger } from '../ledger/record-in-run.ts';
import { forgetRepeatable } from '../state/scripts.ts';
import { prepareState, readState } from '../install/state-schema.ts';
import { stampOf } from '../stamps/stamps.ts';
import { forgetFailure, forgetUndoneRefusal } from '../state/failures.ts';
import { deleteIntent, type BegunIntent } from '../state/intents.ts';
import type { Database } from '../../db/database.ts';
import { assertFinished } from '../state/unfinished-verb.ts';

export interface ResolveOptions {
  /** An organization id or a schema name; "master" for the master schema. */
  readonly tenant: string;
  /** 'applied': the migration is recorded as done; 'retry': the next run starts it again. */
  readonly answer: 'applied' | 'retry';
  /** The folder of the migrations, to record the file's checksum; not recorded if absent. */
  readonly folder?: string | undefined;
  /** Milliseconds to wait for a lock on the history's tables. */
  readonly lockTimeoutMs?: number | undefined;
  /** Any value if the tenants have roles of their own: as for migrateTenants. */
  readonly tenantRole?: string | undefined;
  readonly observe?: Observer | undefined;
}

export interface Resolution {
  /** Absent for the master schema. */
  readonly clerkOrgId?: string | undefined;
  readonly schema: string;
  readonly migration: string;
  readonly direction: 'up' | 'down';
  readonly answer: ResolveOptions['answer'];
  /** The history was changed: never with `retry`; with `applied`, only if the row was missing. */
  readonly recorded: boolean;
  /** The batch in the history; 0 if the history was not changed. */
  readonly batch: number;
  /** The schema's INVALID indexes, which would make a retry fail. */
  readonly invalidIndexes: readonly InvalidIndex[];
}

/**
 * Records the outcome of an interrupted migration outside a transaction. `applied` writes what the run would
 * have written: the history's row in the run's batch (or its removal, in a rollback), the ledger, the stamp.
 * `retry` only removes the intent. Neither touches the tenant's own tables.
 * @throws TenantctlError NOTHING_TO_RESOLVE; RUN_AT_WORK if a run works on the target or the migration still
 *   runs; TENANT_UNKNOWN, REGISTRY_ABSENT, SCHEMA_MISSING, KNEX_LOCKED
 */
export async function resolveInterrupted(database: Database, given: ResolveOptions): Promise<Resolution> {
  const options = checkCall(database, given, 'tenant', 'answer');
  const { answer, folder, observe = silent } = options;
  const target = await targetOf(database, options);
  const state = await readState(database);
  if (state.version === 0) throw nothingToResolve(target);
  await prepareState(database, state, observe);
  const resolution = await withTransaction(
    database,
    { lockTimeoutMs: options.lockTimeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS },
    lookUnderLock(target, LOOK, false),
    async (transaction): Promise<Resolution> => {
      const { client, opening } = transaction;
      const [lock, , look] = opening;
      if ((lock?.rows[0] as { locked: boolean } | undefined)?.locked !== true) throw atWork(target);
      const seen = look?.rows[0] as Seen;
      const { intent } = seen;
      if (intent === null) throw nothingToResolve(target);
      if (intent.backend !== null) throw stillThere(target, intent, intent.backend);
      const invalidIndexes = await readInvalidIndexes(client, [target.schema]);
      const { migration, direction } = intent;
      const { clerkOrgId, schema } = target;
      const base = { clerkOrgId, schema, migration, direction, answer, invalidIndexes };
      if (answer === 'retry') {
        await transaction.commitWith([deleteIntent(schema), forgetFailure(schema, migration)]);
        return { ...base, recorded: false, batch: 0 };
      }
      if (!seen.has_history) throw historyMissing(target, migration);
      const history = await readUnderLock(client, target, LOOK, seen, undefined);
      const due = isRecorded(history, migration) === (direction === 'down');
      const batch = batchOf(history, intent);
      const entry = { direction, names: [migration], batch };
      const records = due ? [recordStep(target, direction, migration, batch)] : [];
      if (due) records.push(...recordInLedger(await knownRun(client, intent.run), target, entry));
      const forgets = [
        deleteIntent(schema),
        forgetFailure(schema, migration),
        ...(direction === 'down' ? [forgetUndoneRefusal(schema, target.historyTable)] : []),
      ];
      if (due) forgets.push(forgetRepeatable(schema));
      await transaction.commitWith([...records, ...forgets, ...stampOf(target)]);
      return { ...base, recorded: due, batch: due ? batch : 0 };
    },
  ).catch((error: unknown) => {
    throw untrustedHistory(error, target) ?? error;
  });
  if (resolution.recorded && resolution.direction === 'up' && folder !== undefined) {
    try {
      const { files } = await readMigrationFolder(folder);
      const found = files.filter(({ stem }) => stem === stemOf(resolution.migration));
      await recordFiles(
        database,
        target.scope,
        found.map((file) => ({ file, checksum: checksumOf(file) })),
      );
    } catch (error) {
      observe({ type: 'warning', message: `The file's checksum was not kept: ${messageOf(error)}` });
    }
  }
  return resolution;
}

/** Reads the facts under the lock, and plans nothing. */
const LOOK: Assignment = { direction: 'up', decide: () => NOTHING, hasState: true };

async function targetOf(
  database: Database,
  { tenant: name, tenantRole }: Pick<ResolveOptions, 'tenant' | 'tenantRole'>,
): Promise<Target> {
  if (name === MASTER_NAME) return masterTarget(database.names);
  await assertRegistry(database);
  const [tenant] = selectTenants(await readTenants(database), [name]);
  if (tenant === undefined) throw new Error('selectTenants found nobody and did not say so');
  assertFinished(tenant.unfinished);
  const refused = refusedSchema(tenant);
  if (refused !== undefined) throw refused;
  return tenantTarget(database.names, tenant, tenant.owner === null ? {} : { tenantRole });
}

function isRecorded({ entries }: History, migration: string): boolean {
  return entries.some(({ name }) => stemOf(name) === stemOf(migration));
}

/** The run's batch, or a new one if the history has a later one. */
function batchOf(history: History, { direction, migration, batch }: BegunIntent): number {
  if (direction === 'down')
    return history.entries.find(({ name }) => stemOf(name) === stemOf(migration))?.batch ?? 0;
  const last = lastBatch(history);
  return batch !== null && batch >= last ? batch : last + 1;
}

/** The run, if the ledger still has it. */
async function knownRun(client: Pick<Database, 'query'>, run: number | null): Promise<number | undefined> {
  if (run === null) return undefined;
  const { rows } = await client.query<{ id: string }>('SELECT id FROM tenantctl.runs WHERE id = $1', [run]);
  return rows[0] === undefined ? undefined : run;
}

function whom({ clerkOrgId }: Target): string {
  return clerkOrgId === undefined ? 'the master schema' : `"${clerkOrgId}"`;
}

function refusal(code: ErrorCode, target: Target, message: string, hint: string, migration?: string) {
  return new TenantctlError(code, message, { tenant: target.clerkOrgId, migration, hint });
}

function nothingToResolve(target: Target): TenantctlError {
  const message = `No migration of ${whom(target)} was interrupted.`;
  return refusal('NOTHING_TO_RESOLVE', target, message, 'tenantctl status lists the tenants where one was.');
}

function atWork(target: Target): TenantctlError {
  const hint =
    'Wait for it to end, and look again at what it has to say. A run that was killed lets go within a minute.';
  return refusal('RUN_AT_WORK', target, `A run is at work on ${whom(target)}.`, hint);
}

function stillThere(target: Target, { migration }: BegunIntent, backend: number): TenantctlError {
  const message = `${migration} is still at work on ${whom(target)}: the server's process ${backend}.`;
  const hint = `Wait for it to end (at most a minute if its command was killed), or end it: SELECT pg_terminate_backend(${backend});`;
  return refusal('RUN_AT_WORK', target, message, hint, migration);
}

function historyMissing(target: Target, migration: string): TenantctlError {
  const message = `${target.schema} has no history of migrations: ${migration} cannot be recorded there.`;
  const hint = 'Restore the schema from a backup, or answer with --retry.';
  return refusal('SCHEMA_MISSING', target, message, hint, migration);
}
