import { CommanderError, type Command } from 'commander';
import { TenantctlError } from '../errors.ts';
import { settleEmbedded } from './embedded-argument.ts';
import { endQuietlyOnClosedPipe } from './closed-pipe.ts';
import { createProgram } from './program.ts';
import { version } from './version.ts';

/**
 * The command line: parses, runs the command, returns the exit code.
 * @param args what stands behind the program's name
 */
export async function main(args: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  silenceWarnings();
  let exitCode = 0;
  const program = createProgram(version, async (name, options, run) => {
    const embedded = options.embedded === '' ? true : options.embedded;
    const { runCommand } = await import('./runner.ts');
    exitCode = await runCommand(name, { ...options, ...(embedded !== undefined && { embedded }) }, run);
  });
  const asJson = args.includes('--json');
  if (asJson)
    for (const each of [program, ...allCommands(program)]) each.configureOutput({ writeErr: () => {} });
  try {
    await program.parseAsync(settleEmbedded(args), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    if (asJson) {
      const usage = new TenantctlError('USAGE', usageMessage(error), {
        hint: 'tenantctl --help shows the commands.',
      });
      const { runCommand } = await import('./runner.ts');
      return runCommand(
        args
          .filter((word) => !word.startsWith('-'))
          .slice(0, 2)
          .join(' '),
        { json: true },
        () => {
          throw usage;
        },
      );
    }
    return 2;
  }
}

function allCommands(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}

function usageMessage(error: CommanderError): string {
  return error.code === 'commander.help' ? 'A command is missing.' : error.message.replace(/^error: /, '');
}

/** Node's remarks on how it loads people's TypeScript say nothing to people who migrate. */
function silenceWarnings(): void {
  const isNoise = (warning: Error & { code?: string }) =>
    (warning.name === 'ExperimentalWarning' && /type stripping/i.test(warning.message)) ||
    warning.code === 'MODULE_TYPELESS_PACKAGE_JSON';
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (!isNoise(warning)) process.stderr.write(`${warning.name}: ${warning.message}\n`);
  });
}
