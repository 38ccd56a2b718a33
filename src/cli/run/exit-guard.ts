import { writeSync } from 'node:fs';
import { TenantctlError } from '../../errors.ts';
import type { Output } from '../terminal/output.ts';
import { renderError } from '../render/error.ts';

/**
 * Reports an error if the process ends while a command runs, because a migration calls process.exit or waits for
 * something that never comes: it must not look as if the work were done.
 * @returns a function to call when the command has ended
 */
export function guardExit(command: string, output: Output): () => void {
  const onExit = (code: number) => {
    // 13: Node had nothing left to wait for. Any other code was set on purpose.
    if (code !== 0 && code !== 13) return;
    const error = new TenantctlError('INTERNAL', 'The program ended before its work was done.', {
      hint: 'A migration called process.exit, or waits for something that never comes. What was under way is rolled back; tenantctl status shows where each tenant is.',
    });
    // Only synchronous writes still arrive.
    if (output.json) {
      writeSync(1, `${JSON.stringify({ command, ok: false, error: error.toJSON() }, null, 2)}\n`);
    } else writeSync(2, `${renderError(error, output.paintError, false)}\n`);
    process.exitCode = 1;
  };
  const release = () => {
    process.off('exit', onExit);
    process.stdout.off('error', release);
  };
  process.once('exit', onExit);
  // A reader that closes the pipe has what it wanted: that ends the program quietly.
  process.stdout.prependOnceListener('error', release);
  return release;
}
