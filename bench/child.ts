import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild, type ChildOptions } from '../test/support/child.ts';

export interface TimedResult {
  /** Milliseconds from start until exit and end of output. */
  readonly ms: number;
  readonly stdout: string;
}

/** A Node program's final resource usage. */
export interface Usage {
  /** User and system time of all threads, in milliseconds. */
  readonly cpuMs: number;
  /** Largest resident set in bytes. */
  readonly maxRssBytes: number;
}

const SAY_USAGE = fileURLToPath(new URL('./say-usage.cjs', import.meta.url));

/** Runs a program to its end. @throws Error with its stderr unless it exits with 0 */
export async function runChild(
  program: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<TimedResult> {
  const started = performance.now();
  const { exitCode, stdout, stderr } = await startChild(program, args, options).done;
  const ms = performance.now() - started;
  if (exitCode === 0) return { ms, stdout };
  const command = `${program} ${args.join(' ').slice(0, 400)}`;
  throw new Error(`${command} ended with ${exitCode}:\n${stderr.slice(-4000)}${stdout.slice(-4000)}`);
}

/** runChild for a Node program that reports its usage at exit. */
export async function runNode(
  args: readonly string[],
  options: ChildOptions = {},
): Promise<TimedResult & Usage> {
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
