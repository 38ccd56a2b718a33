import type { ProvisionResult } from '../../core/tenant/provision/provision-result.ts';
import { counted, duration, listed, sumOf, tenantOption } from '../../wording.ts';
import { countedSteps } from './counted-steps.ts';
import { LISTED, markOf, type Look } from './look.ts';

/** The tenants that are ACTIVE, and the totals. @param wanted how many were asked for; `seed`: with seeds */
export function renderProvision(
  results: readonly ProvisionResult[],
  {
    wanted,
    verbose,
    seed = false,
  }: { readonly wanted: number; readonly verbose: boolean; readonly seed?: boolean | undefined },
  look: Look,
): string {
  const active = results.filter(({ outcome }) => outcome !== 'failed');
  const lines = verbose || active.length <= LISTED ? renderEach(active, look) : renderGroups(active, look);
  if (wanted > 1) lines.push(renderTotals(results, wanted, look));
  const known = active.flatMap(({ outcome, clerkOrgId }) => (outcome === 'already-active' ? clerkOrgId : []));
  if (seed && known.length > 0) lines.push(`${look.paint.cyan(look.marks.arrow)} ${howToSeed(known)}`);
  return lines.join('\n');
}

/** `--seed` leaves tenants alone that exist. */
function howToSeed(organizations: readonly string[]): string {
  const named = organizations.length <= LISTED ? ` ${tenantOption(organizations)}` : '';
  return `--seed is for new tenants. Seeds for those that exist: tenantctl seed tenants${named}`;
}

function renderEach(active: readonly ProvisionResult[], look: Look): string[] {
  return active.map((result) => {
    const { clerkOrgId, schema, outcome, durationMs } = result;
    const where = `ACTIVE in ${look.paint.bold(schema)}`;
    if (outcome === 'already-active')
      return `${ownMark(result, look)} ${clerkOrgId} is already ${where}; ${unchanged(result)}`;
    return `${ownMark(result, look)} ${clerkOrgId} is ${where} (${done(result)}, ${duration(durationMs)})${behind(result)}`;
  });
}

function renderGroups(active: readonly ProvisionResult[], look: Look): string[] {
  const groups = Map.groupBy(active, (result) => {
    return result.outcome === 'already-active'
      ? `already ACTIVE; ${unchanged(result)}`
      : `ACTIVE (${done(result)})${behind(result)}`;
  });
  return [...groups].map(([state, members]) => {
    const [first] = members;
    const mark = first === undefined ? '' : ownMark(first, look);
    const names = listed(members.map(({ clerkOrgId }) => clerkOrgId));
    return `${mark} ${counted(members.length, 'tenant', 'is')} ${state}: ${names}`;
  });
}

function renderTotals(results: readonly ProvisionResult[], wanted: number, look: Look): string {
  const count = (outcome: ProvisionResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  const failed = count('failed');
  const left = wanted - results.length;
  const sums = sumOf([
    [count('provisioned'), 'provisioned'],
    [count('provisioned-behind'), 'provisioned behind the fleet'],
    [count('already-active'), 'already ACTIVE'],
    [failed, 'failed'],
    [left, 'not started'],
  ]);
  const mark = markOf(look, { failed: failed > 0, unfinished: left > 0 });
  return `${mark} ${left > 0 ? 'Interrupted. ' : ''}${counted(wanted, 'organization')}: ${sums}`;
}

/** "3 migrations, 1 script, 2 seeds" */
function done({ applied, seeds }: ProvisionResult): string {
  const seeded = seeds === undefined ? [] : [counted(seeds.length, 'seed')];
  return [countedSteps(applied), ...seeded].join(', ');
}

function ownMark({ behind, attention }: ProvisionResult, look: Look): string {
  return markOf(look, { failed: false, unfinished: behind !== undefined || attention !== undefined });
}

function unchanged({ attention }: ProvisionResult): string {
  return `nothing was changed${attention === undefined ? '' : ` (${attention.problem})`}`;
}

function behind({ behind: missing }: ProvisionResult): string {
  return missing === undefined ? '' : `, ${counted(missing.length, 'migration')} behind the fleet`;
}
