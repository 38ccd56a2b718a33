import type { MarkResult, Marks } from '../commands/mark-migrations.ts';
import { withReport } from './document.ts';

export type MarksDocument = ReturnType<typeof marksDocument>;

/** `history mark`, with `marked` instead of `names`. */
export function marksDocument({ run, tenants, ...rest }: Marks) {
  return { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(markDocument) };
}

export type PlannedMarksDocument = ReturnType<typeof plannedMarksDocument>;

/** With `--dry-run`: what it would be. */
export function plannedMarksDocument(tenants: readonly MarkResult[]) {
  return { dryRun: true, tenants: tenants.map(markDocument) } as const;
}

function markDocument({ clerkOrgId, schema, outcome, names, ...more }: MarkResult) {
  return withReport({ clerkOrgId, schema, outcome, marked: names, ...more });
}
