import type { Command } from 'commander';
import { movedDocument } from '../../core/documents/move-document.ts';
import { addRun, runOptions, type FleetFlags } from '../flags/fleet-options.ts';
import type { CommandResult, Register } from '../run/command.ts';
import type { Context } from '../run/context.ts';
import { withRunEnd } from '../run/results.ts';

interface MoveFlags extends FleetFlags {
  readonly to: string;
  readonly blockWrites?: boolean;
}

/** Adds `tenant move`. */
export function addMove(tenant: Command, register: Register): void {
  const move = tenant
    .command('move')
    .description('move a tenant to another node of a Citus cluster')
    .argument('<org or schema>', 'an organization id or a schema name')
    .requiredOption('--to <node>', 'the node: host:port, or the host alone')
    .option('--block-writes', 'copy it while nobody can write to it: for tables without a primary key')
    .option('--dry-run', 'show what would be moved; change nothing');
  register(addRun(move), 'tenant move', moveTenant);
}

function moveTenant(
  context: Context,
  flags: MoveFlags,
  [tenant = '']: readonly string[],
): Promise<CommandResult> {
  return context.withDatabase(undefined, async (database, settings, observe, core) => {
    const { to, blockWrites } = flags;
    const options = { ...runOptions(context, settings, flags), to, blockWrites, observe };
    if (flags.dryRun === true) {
      const planned = await core.planMove(database, tenant, options);
      return {
        document: { dryRun: true, ...movedDocument(planned) },
        text: ({ renderMove }, look) => renderMove(planned, true, look),
      };
    }
    const moved = await core.moveTenant(database, tenant, options);
    return {
      document: movedDocument(moved),
      text: withRunEnd(context.output, { id: moved.run }, ({ renderMove }, look) =>
        renderMove(moved, false, look),
      ),
    };
  });
}
