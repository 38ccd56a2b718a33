import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';

/** How a run of the program ended. */
export interface CliResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout as the one JSON document that it must be. */
  json<T = Record<string, unknown>>(): T;
}

export interface CliOptions {
  /** The folder that it is called in. */
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export const PROGRAM = join(import.meta.dirname, '../../bin/tenantctl.js');

/** Where Node keeps what it has compiled, so that it need not for every call. */
const COMPILE_CACHE = join(import.meta.dirname, '../../node_modules/.cache/node');

/** The variables of a child process: nothing of the caller's configuration. */
export const BASE_ENV: Readonly<Record<string, string | undefined>> = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(DB_|DATABASE_URL|MASTER_MIG|TENANT_MIG|TENANT_ROLE|VECTOR_|LOCK_|CONNECT_|CI$|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST|PG)/.test(
          name,
        ),
    ),
  ),
  NODE_COMPILE_CACHE: COMPILE_CACHE,
};

/** Starts the program as a child process. */
export function startCli(
  args: readonly string[],
  options: CliOptions,
): ChildProcess & {
  done: Promise<CliResult>;
  /** Resolves when that has been said on stderr. */
  said(text: string): Promise<void>;
} {
  const child = spawn(process.execPath, ['--', PROGRAM, ...args], {
    cwd: options.cwd,
    env: { ...BASE_ENV, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const done = new Promise<CliResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => {
      resolve({
        exitCode,
        stdout,
        stderr,
        json<T>() {
          try {
            return JSON.parse(stdout) as T;
          } catch (error) {
            throw new Error(`stdout is no JSON document:\n${stdout}\nstderr:\n${stderr}`, { cause: error });
          }
        },
      });
    });
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => stderr.includes(text) && resolve();
      child.stderr.on('data', look);
      child.once('close', () => reject(new Error(`It has ended, and never said "${text}":\n${stderr}`)));
      look();
    });
  return Object.assign(child, { done, said });
}

/** Runs the program to its end. */
export function tenantctl(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).done;
}
