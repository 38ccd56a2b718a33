import { TenantctlError, toTenantctlError } from '../../errors.ts';
import type { CommandResult } from './command-result.ts';
import { createContext, type Context, type GlobalOptions } from './context.ts';
import { exitCodeOf } from './exit-code.ts';
import { createOutput, divertStdout } from '../terminal/output.ts';
import { guardExit } from './exit-guard.ts';
import { renderError } from '../render/error.ts';
import { listenForStrayFailures } from './stray-failure.ts';

/** Runs a command, writes its result and returns the exit code. Nothing else does. */
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
  const context = createContext(options, output);
  const interruption = context.interruption();
  const stray = listenForStrayFailures();
  let isOver = true;
  stray.failed.catch(() => (isOver = false));
  const giveBackStdout = divertStdout();
  const release = guardExit(command, output);
  let result: CommandResult;
  try {
    result = await Promise.race([run(context), stray.failed]);
  } catch (thrown) {
    result = { document: {}, text: () => '', error: toTenantctlError(thrown) };
  } finally {
    giveBackStdout();
    release();
    interruption.stop();
    stray.stop();
  }
  const code = interruption.exitCode();
  const wasStopped =
    code !== undefined && (result.interrupted === true || result.error?.code === 'INTERRUPTED');
  const error = wasStopped && result.error === undefined ? stopped() : result.error;

  if (output.json) {
    const document = {
      command,
      ok: error === undefined,
      ...result.document,
      ...(error && { error: error.toJSON() }),
    };
    await output.document(document);
  } else {
    const text = await result.text();
    if (text !== '') await output.result(text);
    if (error !== undefined && result.showError !== false) {
      output.complain(renderError(error, output.paintError, output.verbose));
    }
  }
  const exitCode = wasStopped ? code : exitCodeOf(error);
  // After a stray failure, or a cancellation, a migration may still run: end the process, and the server rolls back.
  if (!isOver || interruption.isCancelled()) process.exit(exitCode);
  return exitCode;
}

function stopped(): TenantctlError {
  return new TenantctlError('INTERRUPTED', 'The run was stopped before its end.', {
    hint: 'Run the command again: it goes on where this one stopped.',
  });
}
