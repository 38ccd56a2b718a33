import type { RenameResult } from '../tenant/rename.ts';

export type RenameDocument = ReturnType<typeof renameDocument>;

/** `tenant rename`. */
export function renameDocument({ run, ...result }: RenameResult) {
  return { ...(run !== undefined && { run }), ...result };
}

export type PlannedRenameDocument = ReturnType<typeof plannedRenameDocument>;

/** With `--dry-run`: what it would be. */
export function plannedRenameDocument(result: RenameResult) {
  return { dryRun: true, ...renameDocument(result) } as const;
}
