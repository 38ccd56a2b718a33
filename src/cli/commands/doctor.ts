import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Reading } from '../../config/environment.ts';
import type { Diagnosis } from '../../core/doctor/diagnosis.ts';
import type { EnvironmentFacts } from '../../core/doctor/environment-checks.ts';
import { toTenantctlError } from '../../errors.ts';
import type { CommandResult } from '../run/command-result.ts';
import type { Context } from '../run/context.ts';
import { count } from '../flags/numbers.ts';
import type { Register } from '../run/register.ts';

export interface DoctorFlags {
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
  const diagnosis = await examine(context, flags);
  return {
    document: { checks: diagnosis.checks, totals: diagnosis.totals },
    text: async () => (await import('../render/doctor.ts')).renderDiagnosis(diagnosis, context.output.paint),
    error: diagnosis.error,
    showError: false,
  };
}

async function examine(context: Context, flags: DoctorFlags): Promise<Diagnosis> {
  const { diagnose } = await import('../../core/doctor/diagnose.ts');
  const { reading, environment } = await readConfiguration(context);
  return diagnose({
    nodeVersion: process.versions.node,
    environment,
    database: reading?.settings?.database,
    databaseNames: reading?.settings?.names,
    folders: reading?.folders,
    vectorExtension: reading?.settings?.vectorExtension,
    tenantRole: reading?.settings?.tenantRole,
    concurrency: flags.concurrency,
  });
}

/** The configuration with its problems; one may be an env file that cannot be read. */
async function readConfiguration(
  context: Context,
): Promise<{ readonly reading?: Reading; readonly environment: EnvironmentFacts }> {
  const path = resolve(context.folder, context.options.envFile ?? '.env');
  const file = { path, found: existsSync(path) };
  try {
    const reading = await context.readEnvironment();
    return {
      reading,
      environment: {
        file,
        variables: reading.variables,
        problems: reading.problems,
        warnings: reading.settings?.warnings ?? [],
      },
    };
  } catch (error) {
    return {
      environment: { file, error: toTenantctlError(error), variables: [], problems: [], warnings: [] },
    };
  }
}
