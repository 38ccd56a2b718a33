import type { Command } from 'commander';
import type { TenantctlError } from '../../errors.ts';
import type { Look } from '../render/look.ts';
import type * as Renderers from '../render/results.ts';
import type { Context } from './context.ts';

export type ResultText = (render: typeof Renderers, look: Look) => string | Promise<string>;

export interface CommandResult {
  /** The keys of the JSON document besides command, ok and error; absent if the command has written its documents. */
  readonly document?: object;
  /** The result for people, made only if wanted. Nothing is written if empty. */
  readonly text?: ResultText;
  /** The work failed, at least partly. */
  readonly error?: TenantctlError | undefined;
  /** False if `text` already shows the error. */
  readonly showError?: boolean;
  /** Of a program that was run in place of the command: it counts in place of that of `error`. */
  readonly exitCode?: number;
  /** A signal stopped the command early. */
  readonly interrupted?: boolean;
}

/** Registers a command's document name, examples and run function. */
export type Register = <Flags extends object>(
  command: Command,
  name: string,
  run: (context: Context, flags: Flags, positionals: readonly string[]) => Promise<CommandResult>,
) => void;
