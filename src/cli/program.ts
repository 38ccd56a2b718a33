import { Command, Option } from 'commander';
import { addDoctor } from './commands/doctor.ts';
import { addDrift } from './commands/drift.ts';
import { addEach } from './commands/each.ts';
import { addExec } from './commands/exec.ts';
import { addFleet } from './commands/fleet.ts';
import { addGrant } from './commands/grant.ts';
import { addHelp } from './commands/help.ts';
import { addHistory } from './commands/history.ts';
import { addInit } from './commands/init.ts';
import { addMake } from './commands/make.ts';
import { addMigrate } from './commands/migrate.ts';
import { addReport } from './commands/report.ts';
import { addPsql } from './commands/psql.ts';
import { addResolve } from './commands/resolve.ts';
import { addRollback } from './commands/rollback.ts';
import { addRuns } from './commands/runs.ts';
import { addSchema } from './commands/schema.ts';
import { addStatus } from './commands/status.ts';
import { addSeed } from './commands/seed.ts';
import { addTenant } from './commands/tenant.ts';
import { addTypes } from './commands/types.ts';
import { examplesOf, hasExamples } from './examples.ts';
import { lineage } from './run/command-path.ts';
import type { CommandResult, Register } from './run/command.ts';
import type { Context, GlobalOptions } from './run/context.ts';

/** In the order of the help page. */
const COMMANDS = [
  addInit,
  addDoctor,
  addMake,
  addMigrate,
  addRollback,
  addTenant,
  addFleet,
  addSeed,
  addExec,
  addEach,
  addPsql,
  addDrift,
  addSchema,
  addTypes,
  addGrant,
  addHistory,
  addResolve,
  addStatus,
  addRuns,
  addReport,
];

export type Dispatch = (
  name: string,
  options: GlobalOptions,
  run: (context: Context) => Promise<CommandResult>,
) => Promise<void>;

export function createProgram(version: string, dispatch: Dispatch): Command {
  const program: Command = new Command('tenantctl')
    .description('Migrate, provision and inspect a fleet of PostgreSQL tenant schemas.')
    .version(version, '--version', 'output the version number (alone also: -v)')
    .option('--dotenv <file>', 'read variables from this file instead of .env')
    .addOption(new Option('--env-file <file>').hideHelp())
    .option('--embedded [dir]', 'use the embedded PostgreSQL in this folder (default: .tenantctl/embedded)')
    .option('--json', 'print one JSON document to stdout')
    .option('--quiet', 'print no progress and no messages')
    .option('--verbose', 'print more details')
    .option('--no-color', 'print no colours')
    .option('--yes', 'confirm destructive commands without asking')
    .configureHelp({
      showGlobalOptions: true,
      // The options of drift are not those of drift show.
      visibleGlobalOptions: (command) =>
        command === program ? [] : program.options.filter(({ hidden }) => !hidden),
      // A terminal of 80 columns leaves less than Commander's 40 beside long names.
      minWidthToWrap: 20,
    })
    .addHelpText('after', EPILOGUE);
  // If both are given, the last one counts.
  program.on('option:env-file', (file: string) => program.setOptionValue('dotenv', file));

  const register: Register = (command, name, run) => {
    command.addHelpText('after', examplesOf(name)).action(async (...received: unknown[]) => {
      const positionals = received.slice(0, -2).flat() as string[];
      const flags = command.opts<Parameters<typeof run>[1]>();
      await dispatch(name, program.opts<GlobalOptions>(), (context) => run(context, flags, positionals));
    });
  };

  for (const add of COMMANDS) add(program, register);
  for (const group of program.commands)
    if (!hasExamples(group.name())) group.addHelpText('after', examplesOf(group.name()));
  addHelp(program);
  program.hook('preAction', (_, command) => refuseEmptyValues(command));
  return program;
}

/** `--to=$NAME` without NAME is a mistake. For --embedded, "" is the usual folder by now. */
function refuseEmptyValues(command: Command): void {
  const values = Object.entries(command.optsWithGlobals<Record<string, unknown>>());
  const names = values.filter(([, value]) => [value].flat().includes('')).map(([name]) => name);
  const options = lineage(command).flatMap((each) => each.options);
  const empty = options.find(
    (option) => names.includes(option.attributeName()) && option.long !== '--embedded',
  );
  if (empty !== undefined) command.error(`error: option '${empty.flags}' argument is empty`);
}

const EPILOGUE = `
Exit codes: 0 success, 1 failure, 2 usage, 3 configuration, 4 no connection, 5 locked by another run,
6 a --check found something, 130/143 interrupted.

More about a command, with examples: tenantctl help migrate tenants
Short forms: "up" for "migrate all", "ls" for "tenant list".

A first look, with no server installed:
  tenantctl init
  tenantctl --embedded migrate master
  tenantctl --embedded tenant provision default_tenant
  tenantctl --embedded status`;
