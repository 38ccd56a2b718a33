import type { Command } from 'commander';
import { settleEmbedded } from './flags/embedded-argument.ts';
import { commandPath, ParsingEnded, toUsageError } from './run/usage-error.ts';
import { maskSecrets } from '../secrets.ts';
import { version } from '../version.ts';

/**
 * The command line: parses, runs the command, returns the exit code.
 * @param args the arguments after the program's name
 */
export async function main(args: readonly string[]): Promise<number> {
  endQuietlyOnClosedPipe();
  silenceWarnings();
  // Scripts ask for it often: answer before the commands are loaded.
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
    const wasAsked = error.cause.exitCode === 0;
    // Without a command the help is the best answer.
    if (!json && (wasAsked || isBare(error, program))) return wasAsked ? 0 : 2;
    const { runCommand } = await import('./run/runner.ts');
    const options = { json, color: !hasFlag(args, '--no-color') };
    if (!wasAsked) {
      return runCommand(commandPath(error.command), options, () => Promise.reject(toUsageError(error)));
    }
    const isVersion = error.cause.code === 'commander.version';
    return runCommand(isVersion ? 'version' : 'help', options, () =>
      Promise.resolve({ document: isVersion ? { version } : { help }, text: () => '' }),
    );
  }
}

/**
 * Makes commander throw where it would end the process, and leaves the wording of mistakes to toUsageError. Help goes
 * to `takeHelp`, if given.
 */
function endParsingByThrowing(program: Command, takeHelp?: (text: string) => void): void {
  for (const command of [program, ...allCommands(program)]) {
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

/** If the reader closes the pipe early (`| head`), the program ends quietly with 0. */
function endQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
}

function allCommands(program: Command): Command[] {
  return program.commands.flatMap((command) => [command, ...allCommands(command)]);
}

/** `tenantctl` without a command: commander has shown the help. */
function isBare({ command, cause }: ParsingEnded, program: Command): boolean {
  return command === program && cause.code === 'commander.help';
}

function hasFlag(args: readonly string[], flag: string): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes(flag);
}

/** Hides Node's warnings on how it loads TypeScript: they do not help people who migrate. */
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
