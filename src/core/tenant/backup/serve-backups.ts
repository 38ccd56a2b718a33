import type { Writable } from 'node:stream';
import { BEGIN, type OpenTransaction } from '../../../db/transaction.ts';
import { toDatabaseError } from '../../../db/database-error.ts';
import { waitForStream } from '../../../db/dead-client.ts';
import { keepingLock } from '../../../db/lock-keeper.ts';
import { backupUnwritable } from '../../backup/backup-errors.ts';
import { backupFileName, writeBackupFile } from '../../backup/backup-file.ts';
import { writeBackup, type BackupSummary } from '../../backup/write-backup.ts';
import { trySnapshotUnderLock } from '../../commands/try-under-lock.ts';
import { toVerbResult } from '../../commands/verb-result.ts';
import { recordInLedger } from '../../ledger/record-in-run.ts';
import { tenantNotActive } from '../../registry/not-active.ts';
import type { Tenant } from '../../registry/registry.ts';
import { statusIn } from '../../registry/status.ts';
import type { Observer } from '../../report/event.ts';
import type { Lanes } from '../../run/lanes.ts';
import type { RunContext } from '../../run/run-context.ts';
import { serve } from '../../serve/serve.ts';
import type { Attempt, Outcome } from '../../serve/work.ts';
import { recordBackup } from '../../state/backups.ts';
import { observeEnd } from '../../serve/observe-end.ts';
import { BACKED_UP, type BackupResult } from './backup-result.ts';

/** A folder that gets a file for each tenant, or a stream for one. */
export type BackupTarget = { readonly folder: string } | { readonly output: Writable };

interface BackupWork {
  readonly target: BackupTarget;
  readonly lanes: Lanes;
  readonly observe: Observer;
  /** The name of this machine. */
  readonly host: string;
}

type BackupTenant = Pick<Tenant, 'clerkOrgId' | 'schema' | 'status'>;

interface BackupTask {
  readonly tenant: BackupTenant;
}

type Done = Pick<BackupResult, 'file' | 'bytes' | 'rows' | 'sha256' | 'madeAt'>;

/** Backs up each tenant under its lock. */
export async function serveBackups(
  context: RunContext,
  tenants: readonly BackupTenant[],
  work: BackupWork,
): Promise<BackupResult[]> {
  const { lanes, observe } = work;
  const written = countBytes(observe);
  const { outcomes } = await serve<BackupTask, Done>(
    context,
    tenants.map((tenant) => ({ tenant })),
    {
      lanes,
      observe,
      attempt: ({ tenant }) => attemptBackup(context, work, tenant, written(tenant)),
      onEnd: observeEnd(observe, 'backed-up', toResult),
      // A tenant's last failure is that of a migration, and decides its class: only the run records these.
      ledger: { command: 'tenant backup', direction: 'up', areStanding: true },
    },
  );
  return outcomes.map(toResult);
}

function toResult(outcome: Outcome<BackupTask, Done>): BackupResult {
  return toVerbResult(outcome, NOTHING, (done) => ({ outcome: 'backed-up' as const, ...done }));
}

const NOTHING = { bytes: 0, rows: 0 };

/** Reports how many bytes the run has written. @returns for each tenant, a function that is told its bytes so far */
function countBytes(observe: Observer): (tenant: BackupTenant) => (bytes: number) => void {
  let total = 0;
  return (tenant) => {
    let before = 0;
    return (bytes) => {
      total += bytes - before;
      before = bytes;
      observe({ type: 'written', tenant, bytes, total });
    };
  };
}

async function attemptBackup(
  context: RunContext,
  { target, host }: BackupWork,
  tenant: BackupTenant,
  onBytes: (bytes: number) => void,
): Promise<Attempt<Done>> {
  const { clerkOrgId, schema } = tenant;
  let isBegun = false;
  const begun = (bytes: number) => {
    isBegun = true;
    onBytes(bytes);
  };
  const attempt = await trySnapshotUnderLock<Done>(
    context,
    schema,
    async (transaction) => {
      const { client } = transaction;
      const status = await readStatus(context, transaction, tenant);
      if (!BACKED_UP.some((word) => word === status)) throw tenantNotActive(tenant, status);
      await client.query(waitForStream(context.database.deadClientSettings));
      const subject = { clerkOrgId, schema, status };
      const write = (output: Writable) => writeBackup(client, context.database, subject, output, begun);
      const { summary, file } = await keepingLock(client, () => writeTo(target, tenant, write));
      const { bytes, rows, sha256, manifest } = summary;
      const done = { bytes, rows, sha256, madeAt: manifest.madeAt };
      const record = recordBackup(schema, context.run?.id, { ...done, file: file ?? null, host });
      const entry = recordInLedger(context.run?.id, tenant, { direction: 'up', outcome: 'backed-up' });
      // The lock is held until this has been committed.
      await transaction.commitWith(['COMMIT', BEGIN, ...record, ...entry]);
      return { kind: 'done', done: { ...done, file } };
    },
    (thrown) => toDatabaseError(thrown).with({ tenant: clerkOrgId }),
  );
  // A stream cannot be written a second time.
  return attempt.kind === 'failed' && isBegun && 'output' in target
    ? { ...attempt, mayRepeat: false }
    : attempt;
}

async function readStatus(
  { database: { names } }: RunContext,
  { client }: OpenTransaction,
  tenant: BackupTenant,
): Promise<string> {
  const { rows } = await client.query<{ status: string | null }>(
    `SELECT ${statusIn(names, tenant)} AS status`,
  );
  const status = rows[0]?.status ?? null;
  if (status === null) throw tenantNotActive(tenant, null);
  return status;
}

async function writeTo(
  target: BackupTarget,
  { clerkOrgId, schema }: BackupTenant,
  write: (output: Writable) => Promise<BackupSummary>,
): Promise<{ readonly summary: BackupSummary; readonly file?: string }> {
  if ('output' in target) return { summary: await writeToStream(target.output, write) };
  const nameOf = ({ manifest }: BackupSummary) => backupFileName(clerkOrgId, schema, manifest.madeAt);
  const { written, path } = await writeBackupFile(target.folder, schema, write, nameOf);
  return { summary: written, file: path };
}

async function writeToStream(
  output: Writable,
  write: (output: Writable) => Promise<BackupSummary>,
): Promise<BackupSummary> {
  let failure: Error | undefined;
  output.on('error', (error) => (failure ??= error));
  try {
    return await write(output);
  } catch (error) {
    throw failure === undefined ? error : backupUnwritable('The stream', failure);
  }
}
