import { TenantctlError, toTenantctlError } from '../../errors.ts';
import { renderError } from '../render/error.ts';
import { renderRunEnd } from '../render/run-end.ts';
import { createOutput, divertStdout, type Output } from '../terminal/output.ts';
import type { CommandResult } from './command.ts';
import { createContext, type Context, type GlobalOptions } from './context.ts';
import { exitCodeOf } from './exit-code.ts';
import { guardExit, listenForStrayFailures } from './stray-failure.ts';
import { listenForSignals } from './signals.ts';

/** Runs a command, writes its result and returns the exit code. */
export async function runCommand(
  command: string,
  options: GlobalOptions,
  run: (context: Context) => Promise<CommandResult>,
): Promise<number> {
  const output = createOutput({
    json: options.json === true,
    quiet: options.quiet === true,
    verbose: options.verbose === true,
    color: options.color !== false,
  });
  const interruption = listenForSignals((message) => output.message(message));
  const stray = listenForStrayFailures();
  let isOver = true;
  stray.failed.catch(() => (isOver = false));
  const giveBackStdout = divertStdout();
  const release = guardExit(command, output);
  let result: CommandResult;
  try {
    result = await Promise.race([run(createContext(options, output, interruption)), stray.failed]);
  } catch (thrown) {
    result = { document: {}, error: toTenantctlError(thrown) };
  } finally {
    giveBackStdout();
    release();
    interruption.stop();
    stray.stop();
  }
  const code = interruption.exitCode();
  const wasStopped =
    code !== undefined && (result.interrupted === true || result.error?.code === 'INTERRUPTED');
  const error = wasStopped ? (result.error ?? stopped()) : result.error;
  await write(command, output, { ...result, error });
  const exitCode = wasStopped ? code : (result.exitCode ?? exitCodeOf(error));
  // After a stray failure or cancellation a migration may still run: end the process, and the server rolls
  // back.
  if (!isOver || interruption.isCancelled()) process.exit(exitCode);
  return exitCode;
}

async function write(command: string, output: Output, result: CommandResult): Promise<void> {
  const { document, text, error, showError = true } = result;
  if (output.json) {
    if (document === undefined && error === undefined) return;
    const failure = error && { error: error.toJSON() };
    const run = error?.run !== undefined && { run: error.run };
    return output.document({ command, ok: error === undefined, ...run, ...document, ...failure });
  }
  const rendered = await text?.(await import('../render/results.ts'), output.look);
  if (rendered) await output.result(rendered);
  if (error !== undefined && showError) {
    output.complain(renderError(error, output.errorLook, output.verbose));
    if (error.run !== undefined) output.message(renderRunEnd({ id: error.run }, output.errorLook));
  }
}

function stopped(): TenantctlError {
  return new TenantctlError('INTERRUPTED', 'The run was stopped before its end.', {
    hint: 'Run the command again: it continues where this run stopped.',
  });
}
