import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startChild, type ChildOptions } from '../test/support/child.ts';

export interface TimedResult {
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

/** Runs a program to its end. @throws Error with its stderr where it ends with anything but 0 */
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

/** runChild for a Node program, which says at its end what it has used. */
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
