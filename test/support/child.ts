import { spawn, type ChildProcess } from 'node:child_process';

export interface ChildOptions {
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface ChildResult {
  /** null if a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Variables that select a database or a terminal: a child must not inherit them. */
const CONFIGURATION =
  /^(DB_|DBMATE_|DATABASE_URL|MASTER_|TENANT_|REGISTRY_|VECTOR_|LOCK_|CONNECT_|CI$|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST|PG)/;

/** A child's variables, without configuration. */
export const BASE_ENV: Readonly<Record<string, string | undefined>> = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !CONFIGURATION.test(name)),
);

/** Starts a program without input. `done` resolves when it has ended and its streams are closed. */
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
