import type { ClonePlan, CloneResult } from '../tenant/clone.ts';

/** `tenant clone`. */
export function cloneDocument({ run, ...result }: CloneResult) {
  return { ...(run !== undefined && { run }), ...result };
}

/** With `--dry-run`. */
export function plannedCloneDocument(plan: ClonePlan) {
  return { dryRun: true, ...plan } as const;
}
