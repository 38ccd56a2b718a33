import type { Command } from 'commander';
import { settleEmbedded } from './flags/embedded-argument.ts';
import { commandPath, ParsingEnded, toUsageError } from './run/usage-error.ts';
import { maskSecrets } from '../secrets.ts';
import { version } from '../version.ts';

/** Parses the arguments after the program's name, runs the command and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  silenceWarnings();
  // Scripts ask for it often: answer before loading the commands.
  if (args.length === 1 && args[0] === '--version') {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  const { createProgram } = await import('./program.ts');
  let exitCode = 0;
  const program = createProgram(version, async (name, options, run) => {
    const embedded = options.embedded === '' ? true : options.embedded;
    const { runCommand } = await import('./run/runner.ts');
    exitCode = await runCommand(name, { ...options, ...(embedded !== undefined && { embedded }) }, run);
  });
  const json = hasFlag(args, '--json');
  let help = '';
  endParsingByThrowing(program, json ? (text) => (help += text) : undefined);
  try {
    await program.parseAsync(settleEmbedded(args, program), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof ParsingEnded)) throw error;
    const { command, cause } = error;
    const isMistake = cause.exitCode !== 0;
    if (!json && !isMistake) return 0;
    if (!json && command === program && cause.code === 'commander.help') return 2;
    const { runCommand } = await import('./run/runner.ts');
    const isVersion = cause.code === 'commander.version';
    const name = isMistake ? commandPath(command) : isVersion ? 'version' : 'help';
    return runCommand(name, { json, color: !hasFlag(args, '--no-color') }, () =>
      isMistake
        ? Promise.reject(toUsageError(error))
        : Promise.resolve({ document: isVersion ? { version } : { help } }),
    );
  }
}

/** Makes commander throw instead of exiting, without its own messages. Help goes to `takeHelp`, if given. */
function endParsingByThrowing(program: Command, takeHelp?: (text: string) => void): void {
  const allCommands = (command: Command): Command[] => [command, ...command.commands.flatMap(allCommands)];
  for (const command of allCommands(program)) {
    command.exitOverride((error) => {
      throw new ParsingEnded(command, error);
    });
    command.configureOutput({
      outputError: () => {},
      ...(takeHelp !== undefined && { writeOut: takeHelp }),
      ...((takeHelp !== undefined || command !== program) && { writeErr: () => {} }),
    });
  }
}

/** If the reader closes the pipe early (`| head`), ends quietly with 0. */
function endQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
}

function hasFlag(args: readonly string[], flag: string): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes(flag);
}

/** Hides Node's warnings about loading TypeScript: they do not help users. */
function silenceWarnings(): void {
  const isNoise = (warning: Error & { code?: string }) =>
    (warning.name === 'ExperimentalWarning' && /type stripping/i.test(warning.message)) ||
    warning.code === 'MODULE_TYPELESS_PACKAGE_JSON' ||
    warning.message.startsWith('Failed to load the ES module');
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (!isNoise(warning)) process.stderr.write(`${warning.name}: ${maskSecrets(warning.message)}\n`);
  });
}
