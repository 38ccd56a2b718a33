import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface ChildOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ChildResult {
  /** Milliseconds from before it was started until it had ended and said all. */
  readonly ms: number;
  readonly stdout: string;
}

/** What a Node program has used up when it ends. */
export interface Usage {
  /** User and system time of all its threads, milliseconds. */
  readonly cpuMs: number;
  /** The largest resident set, bytes. */
  readonly maxRssBytes: number;
}

const SAY_USAGE = fileURLToPath(new URL('./say-usage.cjs', import.meta.url));

/** The caller's configuration of databases must not reach a child. */
const BASE_ENV = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(DB_|DBMATE_|DATABASE_URL|PG|MASTER_MIG|TENANT_MIG|VECTOR_|NODE_OPTIONS)/.test(name),
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
            `${program} ${args.join(' ').slice(0, 400)} ended with ${code}:\n${stderr.slice(-4000)}${stdout.slice(-4000)}`,
          ),
        );
    });
  });
}

/** runChild for a Node program, which says at its end what it has used. */
export async function runNode(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<ChildResult & Usage> {
  const folder = await mkdtemp(join(tmpdir(), 'tenantctl-usage-'));
  const file = join(folder, 'usage.json');
  try {
    const result = await runChild(process.execPath, ['--require', SAY_USAGE, '--', ...args], {
      ...options,
      env: { ...options.env, BENCH_USAGE_FILE: file },
    });
    return { ...result, ...(JSON.parse(await readFile(file, 'utf8')) as Usage) };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
