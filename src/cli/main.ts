import { settleEmbedded } from './flags/embedded-argument.ts';
import { settleHelp } from './flags/help-argument.ts';
import { commandPath } from './run/command-path.ts';
import { endParsingByThrowing, ParsingEnded } from './run/parsing-ended.ts';
import { maskSecrets } from '../secrets.ts';
import { version } from '../version.ts';

/** Parses the arguments after the program's name, runs the command and returns the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  endIfUnwritable();
  silenceWarnings();
  // Scripts ask for it often: answer before loading the commands.
  if (args.length === 1 && (args[0] === '--version' || args[0] === '-v')) {
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
  endParsingByThrowing(program, (text) => (help += text));
  try {
    await program.parseAsync(settleEmbedded(settleHelp(args), program), { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof ParsingEnded)) throw error;
    const { command, cause } = error;
    const isAnswer = error.isAnswer();
    const isBare = command === program && cause.code === 'commander.help';
    if (!json && (isAnswer || isBare)) {
      process[isAnswer ? 'stdout' : 'stderr'].write(help);
      return isAnswer ? 0 : 2;
    }
    const { runCommand } = await import('./run/runner.ts');
    const { toUsageError } = await import('./run/usage-error.ts');
    const isVersion = cause.code === 'commander.version';
    const name = isAnswer ? (isVersion ? 'version' : 'help') : commandPath(command);
    return runCommand(name, { json, color: !hasFlag(args, '--no-color') }, () =>
      isAnswer
        ? Promise.resolve({ document: isVersion ? { version } : { help } })
        : Promise.reject(toUsageError(error)),
    );
  }
}

/** Ends with 1 if the result cannot be written. Messages that cannot be written stop no work. */
function endIfUnwritable(): void {
  process.stderr.on('error', () => {});
  process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
    const reason = code === 'EPIPE' ? 'its reader has closed it' : message;
    process.stderr.write(`tenantctl: the result could not be written to stdout: ${reason}.\n`);
    process.exit(1);
  });
}

function hasFlag(args: readonly string[], flag: string): boolean {
  const end = args.indexOf('--');
  return args.slice(0, end === -1 ? undefined : end).includes(flag);
}

/** Hides warnings of Node that do not help users. */
function silenceWarnings(): void {
  const isNoise = (warning: Error & { code?: string }) =>
    (warning.name === 'ExperimentalWarning' && /type stripping/i.test(warning.message)) ||
    warning.code === 'MODULE_TYPELESS_PACKAGE_JSON' ||
    // tenantctl heeds NO_COLOR also beside FORCE_COLOR.
    warning.message.startsWith("The 'NO_COLOR' env is ignored") ||
    warning.message.startsWith('Failed to load the ES module') ||
    // Of the driver, for its next version.
    (warning.name === 'DeprecationWarning' && /\bpg@9|version of pg\b/.test(warning.message));
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    if (!isNoise(warning)) process.stderr.write(`${warning.name}: ${maskSecrets(warning.message)}\n`);
  });
}
