import { Option, type Command } from 'commander';
import type { Database } from '../../db/database.ts';
import { backupFileDocument, type BackupFileDocument } from '../../core/documents/backup-document.ts';
import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context, Core } from '../run/context.ts';
import type { Interruption } from '../run/signals.ts';

interface VerifyFlags {
  readonly tenant?: string;
}

interface Verified {
  readonly document: BackupFileDocument;
  readonly error?: TenantctlError;
}

/** Adds `tenant verify`. */
export function addTenantVerify(tenant: Command, register: Register): void {
  const verify = tenant
    .command('verify')
    .description('read backups to their end, and check that they are complete and undamaged')
    .argument('<file...>', 'files that tenant backup has written; -: read stdin')
    .addOption(
      new Option(
        '--tenant <org or schema>',
        'also compare the backup with this tenant: migrations, shape, and rows; exit code 6 if they differ',
      ),
    );
  register(verify, 'tenant verify', verifyFiles);
}

async function verifyFiles(
  context: Context,
  { tenant }: VerifyFlags,
  files: readonly string[],
): Promise<CommandResult> {
  if (tenant !== undefined)
    return context.withDatabase(undefined, (database, _settings, _observe, core) =>
      verifyAll(context, files, core, { database, tenant }),
    );
  return verifyAll(context, files, await import('../run/core.ts'));
}

async function verifyAll(
  { interruption }: Context,
  files: readonly string[],
  core: Core,
  live?: { readonly database: Database; readonly tenant: string },
): Promise<CommandResult> {
  const verified: Verified[] = [];
  for (const file of files) {
    if (interruption.signal.aborted) break;
    verified.push(await verifyOne(core, interruption, file, live));
  }
  const interrupted = verified.length < files.length;
  return {
    document: { files: verified.map(({ document }) => document), ...(interrupted && { interrupted }) },
    text: ({ renderVerified }, look) =>
      verified
        .flatMap(({ document }) => (document.format === undefined ? [] : [renderVerified(document, look)]))
        .join('\n'),
    error: errorOf(verified),
    interrupted,
  };
}

async function verifyOne(
  core: Core,
  interruption: Interruption,
  file: string,
  live: { readonly database: Database; readonly tenant: string } | undefined,
): Promise<Verified> {
  try {
    const backup = await (file === '-'
      ? interruption.waitFor(core.verifyBackup(process.stdin))
      : core.verifyBackup(file));
    const comparison = live && (await core.compareWithBackup(live.database, live.tenant, backup.manifest));
    const document = backupFileDocument(file, backup, comparison);
    if (comparison === undefined || core.isAlike(comparison)) return { document };
    const error = new TenantctlError('CHECK_FAILED', `"${comparison.clerkOrgId}" differs from ${file}.`, {
      tenant: comparison.clerkOrgId,
    });
    return { document: { ...document, ok: false, error: error.toJSON() }, error };
  } catch (thrown) {
    const error = toTenantctlError(thrown);
    if (error.code === 'INTERRUPTED') throw error;
    return { document: { file, ok: false, error: error.toJSON() }, error };
  }
}

/** The only error, or how many there are. One that is damage counts before one that is a difference. */
function errorOf(verified: readonly Verified[]): TenantctlError | undefined {
  const errors = verified.flatMap(({ error }) => error ?? []);
  const worst = errors.find(({ code }) => code !== 'CHECK_FAILED') ?? errors[0];
  if (worst === undefined || errors.length === 1) return worst;
  return new TenantctlError(
    worst.code,
    `${errors.length} of ${counted(verified.length, 'backup')} did not pass.`,
    { details: errors.map(({ message }) => message), hint: worst.hint },
  );
}
