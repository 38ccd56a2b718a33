import type { GrantApplicationResult } from '../../core/commands/grant-application.ts';
import type { GrantPlan } from '../../core/commands/plan-grant.ts';
import { counted, sumOf } from '../../wording.ts';
import { markOf, type Look } from './look.ts';

/** The totals; failures are shown apart. */
export function renderGrant(
  { role, totals, interrupted }: GrantApplicationResult,
  isRevoked: boolean,
  look: Look,
): string {
  const { selected, changed, upToDate, failed, skipped } = totals;
  const sums = sumOf([
    [changed, 'changed'],
    [upToDate, 'with nothing to change'],
    [failed, 'failed'],
    [skipped, 'not started'],
  ]);
  const mark = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
  const done = isRevoked ? `${role} has no rights by tenantctl any more` : `${role} may use all tenants`;
  const state = failed + skipped === 0 ? `${done}. ` : '';
  return `${mark} ${interrupted ? 'Interrupted. ' : state}${counted(selected, 'tenant')}${sums === '' ? '' : `: ${sums}`}`;
}

/** The SQL of a dry run, ready for psql. */
export function renderGrantPlan(
  { role, isRevoked, statements, tenants }: GrantPlan,
  { paint }: Look,
): string {
  const all = [...statements, ...tenants.flatMap((tenant) => tenant.statements)];
  const note = isRevoked
    ? `-- tenantctl also forgets ${role}: new tenants no longer get these rights.`
    : `-- tenantctl also remembers ${role}: new tenants get these rights when they are provisioned.`;
  return [...all.map((statement) => `${statement};`), paint.dim(note)].join('\n');
}
