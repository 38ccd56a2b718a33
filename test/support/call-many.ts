import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CLI_ENV, type CliOptions } from './cli.ts';

export interface Answer {
  readonly exitCode: number;
  readonly said: string;
}

export type Call = CliOptions & { readonly args: readonly string[] };

/** A child process that calls the program's main function repeatedly. */
export interface Caller {
  /** Runs these calls in order. They must not end the process. */
  call(calls: readonly Call[]): Promise<Answer[]>;
  close(): Promise<void>;
}

export function startCaller(): Caller {
  const child = spawn(process.execPath, ['--', join(import.meta.dirname, 'many-calls.mjs')], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: CLI_ENV.NODE_COMPILE_CACHE },
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async call(calls) {
      const questions = calls.map((call) => ({ ...call, env: { ...CLI_ENV, ...call.env } }));
      child.stdin.write(`${JSON.stringify(questions)}\n`);
      const { value } = await lines.next();
      if (value === undefined) throw new Error('A call has ended the process.');
      return JSON.parse(value) as Answer[];
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
    },
  };
}
