import type { TenantctlError } from '../../errors.ts';

/** What a command's run function returns: the result for programs and for people, and perhaps a failure. */
export interface CommandResult {
  /** The keys that the JSON document has beside command, ok and error. */
  readonly document: object;
  /** The result for people, on stdout; only made where it is wanted. Nothing is written for an empty one. */
  readonly text: () => string | Promise<string>;
  /** The work failed, at least in part. */
  readonly error?: TenantctlError | undefined;
  /** What people need to read of the error; false where `text` has said it. */
  readonly showError?: boolean;
  /** The command was stopped by a signal before its end. */
  readonly interrupted?: boolean;
}
