import type { CodeFile } from './code-files.ts';

/** What can tell one run of a migration's code from another. */
export interface Finding {
  /**
   * fixed: what stays the same while the process lives. changed: the process may have loaded an older text of a file.
   * varying: anything else.
   */
  readonly kind: 'fixed' | 'changed' | 'varying';
  /** Continues the name of the module: "uses Date.now in line 3". */
  readonly text: string;
}

/** What decides about the statements that a migration's code sends. */
export interface CodeVerdict {
  /** pure: nothing but its files and what the database answers. Else the worst of the findings. */
  readonly kind: 'pure' | Finding['kind'];
  /** Why it is not pure: "1_users.js uses Date.now in line 3". */
  readonly reason?: string;
  /** All that the verdict rests on. */
  readonly files: readonly CodeFile[];
}
