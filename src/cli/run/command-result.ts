import type { TenantctlError } from '../../errors.ts';

/** The result of a command, for programs and for people. */
export interface CommandResult {
  /** The keys of the JSON document besides command, ok and error. */
  readonly document: object;
  /** The result for people, on stdout; called only if it is wanted. An empty text is not written. */
  readonly text: () => string | Promise<string>;
  /** The work failed, at least in part. */
  readonly error?: TenantctlError | undefined;
  /** False if `text` shows the error already. */
  readonly showError?: boolean;
  /** A signal stopped the command before its end. */
  readonly interrupted?: boolean;
}
