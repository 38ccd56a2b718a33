import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Reading } from '../../config/environment.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { hooksFiles } from '../../config/hooks-file.ts';
import { count } from '../flags/numbers.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';

interface DoctorFlags {
  readonly concurrency?: number;
}

export function addDoctor(program: Command, register: Register): void {
  const command = program
    .command('doctor')
    .description(
      'check environment, connection, TLS, privileges, extension and registry; print a remedy for each finding',
    )
    .option(
      '--concurrency <n>',
      'check that there are connections for this many tenants in parallel (default: 4)',
      count,
    );
  register(command, 'doctor', doctorCommand);
}

export async function doctorCommand(context: Context, flags: DoctorFlags): Promise<CommandResult> {
  const { diagnose } = await import('../run/core.ts');
  const path = resolve(context.folder, context.options.dotenv ?? '.env');
  const file = { path, found: existsSync(path) };
  // An unreadable env file is also a finding.
  const reading: Partial<Reading> & { readonly error?: TenantctlError } = await context
    .readEnvironment()
    .catch((error: unknown) => ({ error: toTenantctlError(error) }));
  const { error, settings, folders, variables = [], problems = [], warnings = [] } = reading;
  const diagnosis = await diagnose({
    nodeVersion: process.versions.node,
    environment: { file, error, variables, problems, warnings },
    database: settings?.database,
    databaseNames: settings?.names,
    folders,
    hooksFiles: folders && hooksFiles(context.folder, folders),
    vectorExtension: settings?.vectorExtension,
    tenantRole: settings?.tenantRole,
    concurrency: flags.concurrency,
  });
  return {
    document: { checks: diagnosis.checks, totals: diagnosis.totals },
    text: ({ renderDiagnosis }, look) => renderDiagnosis(diagnosis, context.output.verbose, look),
    error: diagnosis.error,
    showError: false,
  };
}
