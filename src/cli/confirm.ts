import { createInterface } from 'node:readline/promises';
import { TenantctlError } from '../errors.ts';
import type { Output } from './output.ts';

/**
 * Asks on the terminal whether to go on. `--yes` answers; without a terminal nobody can.
 * @throws TenantctlError CONFIRMATION_REQUIRED
 */
export async function askToConfirm(question: string, yes: boolean, output: Output): Promise<void> {
  if (yes) return;
  const refuse = (message: string) =>
    new TenantctlError('CONFIRMATION_REQUIRED', `${question} ${message}`, {
      hint: 'Add --yes to say so. Nothing was changed.',
    });
  if (!process.stdin.isTTY || !process.stderr.isTTY || output.json) {
    throw refuse('It was not confirmed, and there is no terminal to ask on.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${output.paintError.yellow('?')} ${question} Go on? [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw refuse('The answer was no.');
  } finally {
    terminal.close();
  }
}
