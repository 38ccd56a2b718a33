import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { visible } from '../render/visible.ts';
import type { Output } from '../terminal/output.ts';

/** How a program ended. */
export interface ChildEnd {
  /** Null if a signal ended it. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** With --json: the end of what it wrote. */
  readonly stdout?: string;
  readonly stderr?: string;
}

/** Programs that run side by side. */
export interface Children {
  /** Runs one without input. Its lines are shown after its label; with --json they are kept. */
  run(label: string, program: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<ChildEnd>;
  /** Sends a signal to all that run, and to the programs that these have started. */
  readonly kill: (signal: NodeJS.Signals) => void;
}

/** Characters of a line that are held back until it ends. */
const LONGEST_LINE = 64 * 1024;

/** Characters that are kept of each stream. */
const KEPT = 64 * 1024;

const HAS_GROUPS = process.platform !== 'win32';

export function createChildren(output: Output, folder: string): Children {
  const running = new Set<ChildProcess>();
  const kill = (signal: NodeJS.Signals) => {
    for (const child of running) send(child, signal);
  };
  // If nobody reads the output any more, for example.
  process.once('exit', () => kill('SIGTERM'));
  return {
    async run(label, program, args, env) {
      // A process group of its own, which gets the signals that tenantctl gets.
      const child = spawn(program, args, {
        cwd: folder,
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
        detached: HAS_GROUPS,
      });
      running.add(child);
      try {
        const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
        const { paint } = output.look;
        const prefix = (line: string) => `${paint.dim(`${visible(label)} |`)} ${line}`;
        const [[exitCode, signal], stdout, stderr] = await Promise.all([
          closed,
          output.json
            ? keepEnd(child.stdout)
            : showLines(child.stdout, (line) => output.result(prefix(line))),
          output.json
            ? keepEnd(child.stderr)
            : showLines(child.stderr, (line) => output.complain(prefix(line))),
        ]);
        return { exitCode, signal, ...(output.json && { stdout: stdout ?? '', stderr: stderr ?? '' }) };
      } finally {
        running.delete(child);
      }
    },
    kill,
  };
}

function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (HAS_GROUPS) process.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // It has ended.
  }
}

async function showLines(stream: Readable, show: (line: string) => void | Promise<void>): Promise<undefined> {
  let rest = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop() ?? '';
    for (const line of lines) await show(line);
    if (rest.length < LONGEST_LINE) continue;
    await show(rest);
    rest = '';
  }
  if (rest !== '') await show(rest);
}

async function keepEnd(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>)
    text = (text + chunk).slice(-KEPT);
  return text;
}
