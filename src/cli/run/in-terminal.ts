import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import type { Context } from './context.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Runs a program on this terminal. @returns its exit code; 128 and the signal's number if a signal ended it */
export async function runInTerminal(
  { interruption, folder }: Context,
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number> {
  interruption.stop();
  const child = spawn(program, args, { cwd: folder, env, stdio: 'inherit' });
  // A terminal sends Ctrl-C to the child as well.
  const pass = (signal: NodeJS.Signals) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  for (const signal of SIGNALS) process.on(signal, pass);
  try {
    const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return exitCode ?? 128 + constants.signals[signal ?? 'SIGTERM'];
  } finally {
    for (const signal of SIGNALS) process.off(signal, pass);
  }
}
