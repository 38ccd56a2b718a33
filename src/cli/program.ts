import { Command } from 'commander';
import { addDoctor } from './commands/doctor.ts';
import { addExec } from './commands/exec.ts';
import { addInit } from './commands/init.ts';
import { addMake } from './commands/make.ts';
import { addMigrateAll } from './commands/migrate-all.ts';
import { addMigrateMaster } from './commands/migrate-master.ts';
import { addMigrateTenants } from './commands/migrate-tenants.ts';
import { addResolve } from './commands/resolve.ts';
import { addRollbackMaster } from './commands/rollback-master.ts';
import { addRollbackTenants } from './commands/rollback-tenants.ts';
import { addRuns } from './commands/runs.ts';
import { addRunsShow } from './commands/runs-show.ts';
import { addStatus } from './commands/status.ts';
import { addTenantList } from './commands/tenant-list.ts';
import { addTenantProvision } from './commands/tenant-provision.ts';
import { addTenantShow } from './commands/tenant-show.ts';
import { examplesOf } from './examples.ts';
import type { Context, GlobalOptions } from './run/context.ts';
import type { CommandResult } from './run/command-result.ts';
import type { Register } from './run/register.ts';

/** Called with the command to run. */
export type Dispatch = (
  name: string,
  options: GlobalOptions,
  run: (context: Context) => Promise<CommandResult>,
) => Promise<void>;

/** The tree of commands, as the help page shows it. */
export function createProgram(version: string, dispatch: Dispatch): Command {
  const program = new Command('tenantctl')
    .description('Migrate, provision and inspect a fleet of PostgreSQL tenant schemas.')
    .version(version, '--version')
    .option('--env-file <file>', 'read variables from this file instead of .env')
    .option('--embedded [dir]', 'use the embedded PostgreSQL in this folder (default: .tenantctl/embedded)')
    .option('--json', 'print one JSON document to stdout')
    .option('--quiet', 'print no progress and no messages')
    .option('--verbose', 'print more details')
    .option('--no-color', 'print no colours')
    .option('--yes', 'confirm destructive commands without asking')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', EPILOGUE);

  const register: Register = (command, name, run) => {
    command.addHelpText('after', examplesOf(name)).action(async (...received: unknown[]) => {
      const positionals = received.slice(0, -2).flat() as string[];
      const flags = command.opts<Parameters<typeof run>[1]>();
      await dispatch(name, program.opts<GlobalOptions>(), (context) => run(context, flags, positionals));
    });
  };

  addInit(program, register);
  addDoctor(program, register);
  addMake(program.command('make').description('write a new migration file'), register);

  const migrate = program.command('migrate').description('apply pending migrations');
  addMigrateMaster(migrate, register);
  addMigrateTenants(migrate, register);
  addMigrateAll(migrate, register);

  const rollback = program.command('rollback').description('undo migrations; by default the last batch');
  addRollbackMaster(rollback, register);
  addRollbackTenants(rollback, register);

  const tenant = program.command('tenant').description('provision tenants and list the registry');
  addTenantProvision(tenant, register);
  addTenantList(tenant, register);
  addTenantShow(tenant, register);

  addExec(program, register);
  addResolve(program, register);
  addStatus(program, register);

  addRunsShow(addRuns(program, register), register);
  return program;
}

const EPILOGUE = `
Exit codes: 0 success, 1 failure, 2 usage, 3 configuration, 4 no connection, 5 locked by another run,
6 a --check found something, 130/143 interrupted.

More about a command, with examples: tenantctl <command> --help

A first look, with no server installed:
  tenantctl init
  tenantctl --embedded migrate master
  tenantctl --embedded tenant provision default_tenant
  tenantctl --embedded status`;
