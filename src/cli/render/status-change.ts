import type {
  StatusChangeResult,
  StatusTenant,
  StatusVerb,
} from '../../core/tenant/status/status-change-result.ts';
import { counted, listed, sumOf } from '../../wording.ts';
import { countedSteps } from './counted-steps.ts';
import { LISTED, markOf, type Look } from './look.ts';

const DONE = {
  suspended: 'SUSPENDED',
  'already-suspended': 'already SUSPENDED; nothing was changed',
  resumed: 'ACTIVE',
  'already-active': 'already ACTIVE; nothing was changed',
} as const;

/** The tenants by what became of them, failures apart, and the totals. */
export function renderStatusChanges(
  results: readonly StatusChangeResult[],
  verbose: boolean,
  look: Look,
): string {
  const lines: string[] = [];
  for (const [outcome, state] of Object.entries(DONE)) {
    const tenants = results.filter((result) => result.outcome === outcome);
    const mark = markOf(look, { failed: false, unfinished: false });
    if (tenants.length > LISTED && !verbose)
      lines.push(`${mark} ${counted(tenants.length, 'tenant', 'is')} ${state}: ${namesOf(tenants)}`);
    else
      for (const { clerkOrgId, applied } of tenants)
        lines.push(`${mark} ${clerkOrgId} is ${state}${also(applied)}`);
  }
  const count = (...outcomes: StatusChangeResult['outcome'][]) =>
    results.filter((result) => outcomes.includes(result.outcome)).length;
  const [failed, skipped] = [count('failed'), count('skipped')];
  if (results.length > 1 || skipped > 0) {
    const sums = sumOf([
      [count('suspended'), 'suspended'],
      [count('resumed'), 'resumed'],
      [count('already-suspended', 'already-active'), 'unchanged'],
      [failed, 'failed'],
      [skipped, 'not started'],
    ]);
    const mark = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(`${mark} ${skipped > 0 ? 'Interrupted. ' : ''}${counted(results.length, 'tenant')}: ${sums}`);
  }
  return lines.join('\n');
}

function also(applied: readonly string[]): string {
  return applied.length === 0 ? '' : ` (${countedSteps(applied)})`;
}

/** What a dry run found. */
export function renderPlannedStatus(
  verb: StatusVerb,
  {
    tasks,
    results,
  }: { readonly tasks: readonly StatusTenant[]; readonly results: readonly StatusChangeResult[] },
  { paint, marks }: Look,
): string {
  const unchanged = results.filter(({ error }) => error === undefined);
  const becomes = verb === 'suspend' ? 'SUSPENDED' : 'ACTIVE';
  return [
    ...(tasks.length === 0
      ? []
      : [
          `${paint.cyan(marks.arrow)} ${counted(tasks.length, 'tenant')} would become ${becomes}: ${namesOf(tasks)}`,
        ]),
    ...(unchanged.length === 0
      ? []
      : [
          `${paint.green(marks.ok)} ${counted(unchanged.length, 'tenant', 'is')} already ${becomes}: ${namesOf(unchanged)}`,
        ]),
  ].join('\n');
}

function namesOf(tenants: readonly { readonly clerkOrgId: string }[]): string {
  return listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
}
