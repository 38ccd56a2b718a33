import type { ClonePlan, CloneResult } from '../tenant/clone.ts';

export type CloneDocument = ReturnType<typeof cloneDocument>;

/** `tenant clone`. */
export function cloneDocument({ run, ...result }: CloneResult) {
  return { ...(run !== undefined && { run }), ...result };
}

export type PlannedCloneDocument = ReturnType<typeof plannedCloneDocument>;

/** With `--dry-run`. */
export function plannedCloneDocument(plan: ClonePlan) {
  return { dryRun: true, ...plan } as const;
}
