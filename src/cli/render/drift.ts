import type { Cohort, Lead } from '../../core/drift/cohort.ts';
import type { Drift } from '../../core/drift/find-drift.ts';
import type { TenantDrift } from '../../core/drift/show-drift.ts';
import { counted, listed, sumOf } from '../../wording.ts';
import { markOf, type Look } from './look.ts';
import { visible } from './visible.ts';

/** Differences of a cohort that are shown. */
const SHOWN = 5;

export function renderDrift({ reference, totals, cohorts }: Drift, all: boolean, look: Look): string {
  const { selected, alike, differing, notCompared, failed } = totals;
  const sums = sumOf([
    [alike, 'alike'],
    [differing, differing === 1 ? 'differs' : 'differ'],
    [notCompared, 'not compared'],
    [failed, 'failed'],
  ]);
  const isUneven = differing > 0 || cohorts.some(({ leads }) => leads.length > 0);
  const mark = markOf(look, { failed: isUneven || failed > 0, unfinished: notCompared > 0 });
  const compared = reference === 'migrations' ? 'what the migrations make' : visible(reference);
  const head = `${mark} ${counted(selected, 'tenant')} compared with ${compared}${sums === '' ? '' : `: ${sums}`}`;
  const shown = cohorts.filter(
    ({ outcome, leads, pending }) => all || outcome !== 'alike' || leads.length > 0 || pending.length > 0,
  );
  return [head, ...shown.map((cohort) => renderCohort(cohort, all, look))].join('\n\n');
}

function renderCohort(cohort: Cohort, all: boolean, { paint, marks }: Look): string {
  const { outcome, tenants, version, pending, differences, differenceCount, reason } = cohort;
  const names = tenants.map(({ clerkOrgId }) => visible(clerkOrgId));
  const words = {
    alike: tenants.length === 1 ? 'is alike' : 'are alike',
    differs: tenants.length === 1 ? 'differs' : 'differ',
    'not-compared': tenants.length === 1 ? 'was not compared' : 'were not compared',
  };
  const head = `${counted(tenants.length, 'tenant')} ${words[outcome]}: ${all ? names.join(', ') : listed(names)}`;
  const at = version === null ? 'without migrations' : `at ${visible(version)}`;
  const behind = pending.length > 0 ? `, behind by ${pending.length}` : '';
  const shown = all ? differences : differences.slice(0, SHOWN);
  const more = differenceCount - shown.length;
  return [
    paint.bold(head),
    paint.dim(`  ${at}${behind}${reason === undefined ? '' : `: ${visible(reason)}`}`),
    ...shown.map(
      ({ kind, name, difference }) => `  ${SIGNS[difference]} ${kind} ${visible(name)} ${WORDS[difference]}`,
    ),
    ...(more > 0 ? [paint.dim(`  ${marks.ellipsis} ${more} more`)] : []),
    ...renderLeads(cohort.leads),
  ].join('\n');
}

function renderLeads(leads: readonly Lead[]): string[] {
  return leads.map(({ kind, name, schema }) => `  ! ${kind} ${visible(name)} leads into ${visible(schema)}`);
}

const SIGNS = { missing: '-', extra: '+', changed: '~' } as const;
const WORDS = { missing: 'is missing', extra: 'is extra', changed: 'is different' } as const;

/** The diff, or a sentence; then what leads into other tenants. */
export function renderTenantDrift(
  { clerkOrgId, reference, diff, leads }: TenantDrift,
  { paint, marks }: Look,
): string {
  const compared = reference === 'migrations' ? 'what the migrations make' : visible(reference);
  const lines = diff
    .replace(/\n$/, '')
    .split('\n')
    .map((line) => {
      const text = visible(line);
      if (/^(---|\+\+\+)/.test(line)) return paint.bold(text);
      if (line.startsWith('@@')) return paint.cyan(text);
      if (line.startsWith('-')) return paint.red(text);
      return line.startsWith('+') ? paint.green(text) : text;
    });
  const alike = `${paint.green(marks.ok)} ${visible(clerkOrgId)} is like ${compared}`;
  return [...(diff === '' ? [alike] : lines), ...renderLeads(leads)].join('\n');
}
