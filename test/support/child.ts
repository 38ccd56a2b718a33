import { spawn, type ChildProcess } from 'node:child_process';

export interface ChildOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/** How a child process ended. */
export interface ChildResult {
  /** null where a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What tells a program how to find a database, or how to speak to a terminal: the caller's must not reach a child. */
const CONFIGURATION =
  /^(DB_|DBMATE_|DATABASE_URL|MASTER_|TENANT_|REGISTRY_|VECTOR_|LOCK_|CONNECT_|CI$|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST|PG)/;

/** The variables of a child process, without any configuration. */
export const BASE_ENV: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !CONFIGURATION.test(name)),
);

/** Starts a program with no input. `done` resolves when it has ended and its streams are closed. */
export function startChild(
  program: string,
  args: readonly string[],
  { cwd, env }: ChildOptions = {},
): ChildProcess & { done: Promise<ChildResult> } {
  const child = spawn(program, args, {
    cwd,
    env: { ...BASE_ENV, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const done = new Promise<ChildResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode) => resolve({ exitCode, stdout, stderr }));
  });
  return Object.assign(child, { done });
}
