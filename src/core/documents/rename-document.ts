import type { RenameResult } from '../tenant/rename.ts';

/** `tenant rename`. */
export function renameDocument({ run, ...result }: RenameResult) {
  return { ...(run !== undefined && { run }), ...result };
}

/** With `--dry-run`: what it would be. */
export function plannedRenameDocument(result: RenameResult) {
  return { dryRun: true, ...renameDocument(result) } as const;
}
