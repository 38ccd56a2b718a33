import type { ChalkInstance } from 'chalk';
import type { Command } from 'commander';
import type { TenantctlError } from '../../errors.ts';
import type * as Renderers from '../render/results.ts';
import type { Context } from './context.ts';

/** The result of a command, for programs and for people. */
export interface CommandResult {
  /** The keys of the JSON document besides command, ok and error. */
  readonly document: object;
  /** The result for people, on stdout; called only if it is wanted. An empty text is not written. */
  readonly text?: (render: typeof Renderers, paint: ChalkInstance) => string | Promise<string>;
  /** The work failed, at least in part. */
  readonly error?: TenantctlError | undefined;
  /** False if `text` shows the error already. */
  readonly showError?: boolean;
  /** A signal stopped the command before its end. */
  readonly interrupted?: boolean;
}

/** Gives a command its name in documents, its examples, and its run function. */
export type Register = <Flags extends object>(
  command: Command,
  name: string,
  run: (context: Context, flags: Flags, positionals: readonly string[]) => Promise<CommandResult>,
) => void;
