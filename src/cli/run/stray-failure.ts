import { writeSync } from 'node:fs';
import { blameMigration } from '../../db/knex/migration-scope.ts';
import type { ErrorCode } from '../../error-code.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { isError } from '../../is-error.ts';
import { renderError } from '../render/error.ts';
import type { Output } from '../terminal/output.ts';

/** Uncaught errors: of a promise that is not awaited, or thrown in a callback. */
export interface StrayFailures {
  readonly failed: Promise<never>;
  /** Stops listening; Node handles later ones. */
  stop(): void;
}

const WHERE_FROM =
  'It came from a promise that nobody awaits, or from a callback: await every query of a migration.';
const AFTERWARDS = 'Unfinished work is rolled back; tenantctl status shows the state of each tenant.';

/**
 * Attributes an uncaught error to the migration that it comes from, otherwise to the command. A missing `await` in a
 * migration is enough to cause one.
 */
export function listenForStrayFailures(): StrayFailures {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const onFailure = (cause: unknown) => {
    // An error of tenantctl or of the server has a hint of its own.
    const hasHint = cause instanceof TenantctlError || (isError(cause) && 'severity' in cause);
    const failure = (code: ErrorCode, hint: string) =>
      new TenantctlError(code, messageOf(cause), { hint, cause });
    if (blameMigration(hasHint ? cause : failure('MIGRATION_FAILED', WHERE_FROM))) return;
    reject(cause instanceof TenantctlError ? cause : failure('INTERNAL', `${WHERE_FROM} ${AFTERWARDS}`));
  };
  process.on('unhandledRejection', onFailure);
  process.on('uncaughtException', onFailure);
  return {
    failed: promise,
    stop() {
      process.off('unhandledRejection', onFailure);
      process.off('uncaughtException', onFailure);
    },
  };
}

/** Codes after a signal: the user ended the process. */
const SIGNALLED = new Set([130, 143]);

/**
 * Turns process.exit in a migration into an error of that migration. Reports an error if the process still ends
 * while a command runs: a migration may await something that never happens, which must not look like success.
 * @returns a function to call when the command has ended
 */
export function guardExit(command: string, output: Output): () => void {
  const exit = process.exit.bind(process);
  process.exit = (code) => {
    const error = new Error(`process.exit(${code ?? ''}) was called, which would end the whole run.`);
    if (blameMigration(error)) throw error;
    return exit(code);
  };
  const onExit = (code: number) => {
    if (SIGNALLED.has(code)) return;
    const error = new TenantctlError('INTERNAL', 'The program ended before its work was done.', {
      hint: `A migration ended the process, or waits for something that never comes. ${AFTERWARDS}`,
    });
    // Only synchronous writes work during exit.
    if (output.json) {
      writeSync(1, `${JSON.stringify({ command, ok: false, error: error.toJSON() }, null, 2)}\n`);
    } else writeSync(2, `${renderError(error, output.errorLook, false)}\n`);
    // 13: Node had nothing left to wait for.
    if (code === 0 || code === 13) process.exitCode = 1;
  };
  const release = () => {
    process.exit = exit;
    process.off('exit', onExit);
    process.stdout.off('error', release);
  };
  process.once('exit', onExit);
  // main.ts says that the result cannot be written.
  process.stdout.prependOnceListener('error', release);
  return release;
}
