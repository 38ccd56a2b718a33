import { createInterface, type Interface } from 'node:readline/promises';
import { TenantctlError } from '../../errors.ts';
import type { Output } from './output.ts';

/**
 * Asks for confirmation unless --yes is given.
 * @param word what a person must type; yes if absent
 * @throws TenantctlError CONFIRMATION_REQUIRED
 */
export async function askToConfirm(
  question: string,
  yes: boolean,
  output: Output,
  word?: string,
): Promise<void> {
  if (yes) return;
  if (!process.stdin.isTTY || !process.stderr.isTTY || output.json) {
    throw new TenantctlError(
      'CONFIRMATION_REQUIRED',
      `${question} It was not confirmed, and there is no terminal to ask on.`,
      { hint: 'Add --yes to confirm. Nothing was changed.' },
    );
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const mark = output.errorLook.paint.yellow('?');
    const how = word === undefined ? 'Go on? [y/N]' : `Type ${word} to go on:`;
    const answer = (await ask(terminal, `${mark} ${question} ${how} `)).trim();
    if (word === undefined ? /^y(es)?$/i.test(answer) : answer === word) return;
    const told = word === undefined ? 'no' : `not ${word}`;
    throw new TenantctlError('CONFIRMATION_REQUIRED', `The answer was ${told}: nothing was changed.`);
  } finally {
    terminal.close();
  }
}

/** The answer; empty at end of input (Ctrl-D). Ctrl-C stops the command. */
function ask(terminal: Interface, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    terminal.once('SIGINT', () => {
      reject(new TenantctlError('INTERRUPTED', 'Stopped before anything was changed.'));
    });
    terminal.once('close', () => resolve(''));
    terminal.question(question).then(resolve, reject);
  });
}
