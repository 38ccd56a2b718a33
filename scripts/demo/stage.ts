import { spawn } from 'node:child_process';
import { Chalk } from 'chalk';
import { VARIABLES } from '../../src/config/variables.ts';

/** Shows what happens: each step's reason, the command as typed, its output. */
export interface Stage {
  open(title: string, text: string): void;
  /** Begins a step, with the reason for it. */
  step(reason: string): void;
  /** Shows a command that is not tenantctl's. */
  command(text: string): void;
  /**
   * Runs tenantctl in the demo's folder; its output goes straight to the terminal.
   * @param expected its exit code
   * @throws CommandFailed if it ends with another one
   */
  tenantctl(args: string, expected?: number): Promise<void>;
  /** Shows a text that belongs to the step: a file, say. */
  quote(title: string, text: string): void;
  done(lines: readonly string[]): void;
  fail(message: string): void;
  /** Shows commands to type next, each with a remark. */
  close(title: string, commands: readonly (readonly [command: string, remark: string])[]): void;
}

export interface StageOptions {
  /** The folder that commands are run in. */
  readonly folder: string;
  /** The path of bin/tenantctl.js. */
  readonly program: string;
  /** How many steps there will be. */
  readonly steps: number;
}

/** A step did not do what it should; the demo ends with this exit code. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function openStage(options: StageOptions): Stage {
  const paint = new Chalk({ level: hasColor() ? 1 : 0 });
  const say = (text = '') => process.stdout.write(`${text}\n`);
  const command = (text: string) => say(`${paint.green('$')} ${paint.bold(text)}`);
  let step = 0;
  return {
    open(title, text) {
      say(`\n${paint.bold(title)}\n${text}`);
    },
    step(reason) {
      step += 1;
      say(`\n${paint.cyan(`── ${step}/${options.steps}`)} ${reason}`);
    },
    command,
    async tenantctl(args, expected = 0) {
      command(`tenantctl ${args}`);
      const exitCode = await run(options, args.split(' '));
      if (expected !== 0) say(paint.dim(`(exit code ${exitCode})`));
      if (exitCode !== expected)
        throw new CommandFailed(`tenantctl ${args} ended with exit code ${exitCode}.`, exitCode || 1);
    },
    quote(title, text) {
      say(paint.dim(title));
      for (const line of text.trim().split('\n')) say(paint.dim(`  ${line}`.trimEnd()));
    },
    done(lines) {
      for (const line of lines) say(`${paint.green('✔')} ${line}`);
    },
    fail(message) {
      say(`\n${paint.red('✖')} The demo stops here: ${message}`);
    },
    close(title, commands) {
      const width = Math.max(...commands.filter(([, remark]) => remark !== '').map(([text]) => text.length));
      say(`\n${paint.bold(title)}`);
      for (const [text, remark] of commands) {
        say(remark === '' ? `  ${text}` : `  ${text.padEnd(width)}  ${paint.dim(`# ${remark}`)}`);
      }
    },
  };
}

/** Runs tenantctl as its users do, as a process of its own, but without a configuration that they may have. */
function run({ program, folder }: StageOptions, args: readonly string[]): Promise<number> {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !VARIABLES.includes(name)));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...args], { cwd: folder, env, stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (exitCode) => resolve(exitCode ?? 1));
  });
}

/** As tenantctl itself decides it. */
function hasColor(): boolean {
  const isSet = (name: string) => (process.env[name] ?? '') !== '';
  return process.stdout.isTTY && !isSet('NO_COLOR') && !isSet('CI');
}
