import { Option, type Command } from 'commander';
import { seedDocument } from '../../core/documents/seed-document.ts';
import {
  addRun,
  addTolerance,
  concurrency,
  include,
  masterFolderOf,
  runOptions,
  selection,
  type FleetFlags,
} from '../flags/fleet-options.ts';
import { seedNames } from '../flags/list.ts';
import { addStages, rolloutOf, type RolloutFlags } from '../flags/rollout-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { dryRunResult, failureOf, rolloutFailure, withRunEnd } from '../run/results.ts';

interface SeedFlags extends FleetFlags, RolloutFlags {
  readonly only?: readonly string[];
  readonly again?: boolean;
}

export function addSeed(program: Command, register: Register): void {
  const tenants = program
    .command('seed')
    .description('fill tenants with rows')
    .command('tenants')
    .description('run the seeds that ACTIVE tenants lack, or that have changed since; each is remembered')
    .addOption(
      new Option('--only <name...>', 'only these seeds, with or without extension').argParser(seedNames),
    )
    .option('--again', 'run seeds also in tenants that have them')
    .option('--dry-run', 'print the SQL that would run, once per distinct list of seeds; change nothing')
    .option('--all', 'also list tenants that have their seeds');
  const selected = addRun(tenants).addOption(concurrency()).addOption(selection()).addOption(include());
  register(addStages(addTolerance(selected)), 'seed tenants', seedTenants);
}

async function seedTenants(context: Context, flags: SeedFlags): Promise<CommandResult> {
  const rollout = await rolloutOf(flags);
  const { output } = context;
  return context.withDatabase(flags.concurrency, async (database, settings, observe, core) => {
    const options = {
      ...runOptions(context, settings, flags),
      folder: settings.folders.tenants,
      masterFolder: masterFolderOf(settings),
      seedFolder: settings.folders.seeds,
      only: flags.only,
      again: flags.again,
      rollout,
      observe,
    };
    if (flags.dryRun === true) return dryRunResult(context, await core.rehearseSeeds(database, options));
    const result = await core.seedTenants(database, options);
    const { run: id, totals, tenants } = result;
    const refused = tenants.filter(({ error }) => error !== undefined);
    return {
      document: seedDocument(result, flags.all === true),
      text: withRunEnd(output, { id }, async (render, look) => {
        const text = await render.renderFleet(result, 'seeded', output.verbose, look);
        return flags.all === true ? render.renderUpToDate(result, look) + text : text;
      }),
      error: rolloutFailure(result) ?? failureOf(refused, totals.selected),
      showError: false,
      interrupted: result.interrupted,
    };
  });
}
