import { spawn } from 'node:child_process';

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ChildResult {
  /** Milliseconds from before it was started until it had ended and said all. */
  readonly ms: number;
  readonly stdout: string;
}

/** The caller's configuration of databases must not reach a child. */
const BASE_ENV = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(DB_|DATABASE_URL|PG|MASTER_MIG|TENANT_MIG|VECTOR_|NODE_OPTIONS)/.test(name),
  ),
);

/** Runs a program to its end. @throws Error with its stderr where it ends with anything but 0 */
export function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: { ...BASE_ENV, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      const ms = performance.now() - started;
      if (code === 0) resolve({ ms, stdout });
      else
        reject(
          new Error(
            `${program} ${args.join(' ')} ended with ${code}:\n${stderr.slice(-4000)}${stdout.slice(-4000)}`,
          ),
        );
    });
  });
}
