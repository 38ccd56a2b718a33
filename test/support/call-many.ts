import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { BASE_ENV, type CliOptions } from './cli.ts';

/** How one call of many ended. */
export interface Answer {
  readonly exitCode: number;
  /** stdout and stderr. */
  readonly said: string;
}

/** Calls the program's main function once for each, in one child process; a call must not end the process. */
export async function callMany(
  calls: readonly (CliOptions & { readonly args: readonly string[] })[],
): Promise<Answer[]> {
  const child = spawn(process.execPath, ['--', join(import.meta.dirname, 'many-calls.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(calls.map((call) => ({ ...call, env: { ...BASE_ENV, ...call.env } }))));
  let stdout = '';
  for await (const chunk of child.stdout) stdout += String(chunk);
  const answers = JSON.parse(stdout) as Answer[];
  if (answers.length !== calls.length) throw new Error('some calls were not answered');
  return answers;
}
