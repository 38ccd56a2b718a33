import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { BASE_ENV, startChild, type ChildResult } from './child.ts';

export interface CliResult extends ChildResult {
  /** Parses stdout, which must be one JSON document. */
  json<T = Record<string, unknown>>(): T;
}

export interface CliOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export const PROGRAM = join(import.meta.dirname, '../../bin/tenantctl.js');

/** The program's variables: no configuration, UTF-8, and Node's compile cache. */
export const CLI_ENV: Readonly<Record<string, string | undefined>> = {
  ...BASE_ENV,
  LC_ALL: 'C.UTF-8',
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/node'),
};

export function startCli(
  args: readonly string[],
  { cwd, env }: CliOptions,
): ChildProcess & {
  done: Promise<CliResult>;
  /** Resolves when this text has appeared on stderr. */
  said(text: string): Promise<void>;
} {
  const child = startChild(process.execPath, ['--', PROGRAM, ...args], { cwd, env: { ...CLI_ENV, ...env } });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve();
      child.stderr?.on('data', look);
      child.once('close', () => reject(new Error(`It has ended, and never said "${text}":\n${stderr}`)));
      look();
    });
  return Object.assign(child, { done: child.done.then(withJson), said });
}

function withJson(result: ChildResult): CliResult {
  const { stdout, stderr } = result;
  return {
    ...result,
    json<T>() {
      try {
        return JSON.parse(stdout) as T;
      } catch (error) {
        throw new Error(`stdout is no JSON document:\n${stdout}\nstderr:\n${stderr}`, { cause: error });
      }
    },
  };
}

export function tenantctl(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).done;
}
