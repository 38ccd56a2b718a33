import type { ProvisionResult } from '../../core/tenant/provision-result.ts';
import { counted, duration, listed } from '../../wording.ts';
import type { Look } from './look.ts';

/** Up to this many tenants are listed one by one. */
const LISTED = 10;

/** The tenants that are ACTIVE, and the totals. @param wanted how many were asked for */
export function renderProvision(
  results: readonly ProvisionResult[],
  { wanted, verbose }: { readonly wanted: number; readonly verbose: boolean },
  look: Look,
): string {
  const active = results.filter(({ outcome }) => outcome !== 'failed');
  const lines = verbose || active.length <= LISTED ? renderEach(active, look) : renderGroups(active, look);
  if (wanted > 1) lines.push(renderTotals(results, wanted, look));
  return lines.join('\n');
}

function renderEach(active: readonly ProvisionResult[], look: Look): string[] {
  return active.map((result) => {
    const { clerkOrgId, schema, outcome, applied, durationMs } = result;
    const where = `ACTIVE in ${look.paint.bold(schema)}`;
    if (outcome === 'already-active')
      return `${markOf(result, look)} ${clerkOrgId} is already ${where}; ${unchanged(result)}`;
    const done = `${counted(applied.length, 'migration')}, ${duration(durationMs)}`;
    return `${markOf(result, look)} ${clerkOrgId} is ${where} (${done})${behind(result)}`;
  });
}

/** Tenants with equal results are one line. */
function renderGroups(active: readonly ProvisionResult[], look: Look): string[] {
  const groups = Map.groupBy(active, (result) => {
    const { outcome, applied } = result;
    return outcome === 'already-active'
      ? `already ACTIVE; ${unchanged(result)}`
      : `ACTIVE (${counted(applied.length, 'migration')})${behind(result)}`;
  });
  return [...groups].map(([state, members]) => {
    const [first] = members;
    const mark = first === undefined ? '' : markOf(first, look);
    const names = listed(members.map(({ clerkOrgId }) => clerkOrgId));
    return `${mark} ${counted(members.length, 'tenant', 'is')} ${state}: ${names}`;
  });
}

function renderTotals(results: readonly ProvisionResult[], wanted: number, { paint, marks }: Look): string {
  const count = (outcome: ProvisionResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  const failed = count('failed');
  const left = wanted - results.length;
  const sums = [
    [count('provisioned'), 'provisioned'],
    [count('provisioned-behind'), 'provisioned behind the fleet'],
    [count('already-active'), 'already ACTIVE'],
    [failed, 'failed'],
    [left, 'not started'],
  ] as const;
  const parts = sums.filter(([number]) => number > 0).map(([number, words]) => `${number} ${words}`);
  const unfinished = left > 0 ? paint.yellow(marks.warning) : paint.green(marks.ok);
  const mark = failed > 0 ? paint.red(marks.failed) : unfinished;
  const title = left > 0 ? 'Interrupted. ' : '';
  return `${mark} ${title}${counted(wanted, 'organization')}: ${parts.join(', ')}`;
}

function markOf({ behind, attention }: ProvisionResult, { paint, marks }: Look): string {
  const isGood = behind === undefined && attention === undefined;
  return isGood ? paint.green(marks.ok) : paint.yellow(marks.warning);
}

function unchanged({ attention }: ProvisionResult): string {
  return `nothing was changed${attention === undefined ? '' : ` (${attention.problem})`}`;
}

function behind({ behind: missing }: ProvisionResult): string {
  return missing === undefined ? '' : `, ${counted(missing.length, 'migration')} behind the fleet`;
}
