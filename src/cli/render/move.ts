import type { MoveResult } from '../../core/tenant/move.ts';
import type { Look } from './look.ts';

export function renderMove(
  { clerkOrgId, schema, from, to, outcome }: MoveResult,
  isPlanned: boolean,
  { paint, marks }: Look,
): string {
  const tenant = `${clerkOrgId} (${paint.bold(schema)})`;
  if (outcome === 'already-there')
    return `${paint.green(marks.ok)} ${tenant} is on ${to} already; nothing was changed`;
  return isPlanned
    ? `${paint.cyan(marks.arrow)} ${tenant} would move from ${from} to ${to}`
    : `${paint.green(marks.ok)} ${tenant} is on ${to} now; it was on ${from}`;
}
