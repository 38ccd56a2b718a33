import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CliOptions } from './cli.ts';
import { CLI_ENV, PROGRAM } from './cli.ts';

const TERMINAL_MAKER = 'script';

/** Why there is no pseudo terminal, which needs util-linux's `script`; undefined if there is one. */
export const noTerminal: string | undefined = /util-linux/.test(
  spawnSync(TERMINAL_MAKER, ['--version'], { encoding: 'utf8' }).stdout ?? '',
)
  ? undefined
  : "needs util-linux's program `script`, which makes a pseudo terminal";

interface Typed {
  readonly after: RegExp;
  /** Awaited before the text is typed. */
  readonly once?: () => Promise<void>;
  readonly text: string;
}

export interface TerminalOptions extends CliOptions {
  /** Typed when the output matches `after`; of several, each when the one before it has been typed. */
  readonly typed?: Typed | readonly Typed[];
  /** 0: a terminal without a width, as in some CI systems. */
  readonly columns?: number;
  readonly rows?: number;
}

/** Runs the program on a pseudo terminal, which merges stdout and stderr. */
export async function tenantctlOnTerminal(
  args: readonly string[],
  options: TerminalOptions,
): Promise<{ readonly exitCode: number | null; readonly shown: string }> {
  const words = [process.execPath, PROGRAM, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  const child = spawn(
    TERMINAL_MAKER,
    [
      '-qec',
      `stty cols ${options.columns ?? 120} rows ${options.rows ?? 24}; exec ${words.join(' ')}`,
      join('/dev', 'null'),
    ],
    {
      cwd: options.cwd,
      env: { ...CLI_ENV, TERM: 'xterm', ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    },
  );
  let shown = '';
  const toType = [options.typed ?? []].flat();
  const done = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString();
    const [next] = toType;
    if (next === undefined || !next.after.test(shown)) return;
    toType.shift();
    void (next.once?.() ?? Promise.resolve()).then(() => child.stdin.write(next.text));
  });
  const tooLate = new AbortController();
  const hung = sleep(20_000, undefined, { signal: tooLate.signal }).then(
    () => {
      child.kill('SIGKILL');
      throw new Error(`the program hangs on the terminal; it showed:\n${shown.slice(0, 2000)}`);
    },
    () => null,
  );
  const exitCode = await Promise.race([done, hung]);
  tooLate.abort();
  child.stdin.end();
  return { exitCode, shown };
}
