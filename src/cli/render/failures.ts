import type { ErrorReport } from '../../errors.ts';
import { counted, listed } from '../../wording.ts';
import { groupByCause, withoutNames, type Cause } from '../../core/report/causes.ts';
import { blockerLine, errorDetails, shortError } from './error.ts';
import type { Look } from './look.ts';
import { wrap } from './wrap.ts';

export interface FailedTenant {
  readonly clerkOrgId: string | null;
  readonly schema: string;
  /** Absent if it is no longer known. */
  readonly error?: ErrorReport | null | undefined;
}

/** How many causes, and how many lines of a text, are shown without --verbose. */
const CAUSES = 8;
const LINES = 4;

/**
 * Failed tenants: a block for each cause, with the first names; a hint that several causes share is shown once.
 * With `verbose` every cause in full, with every tenant and what only its own error says.
 */
export function renderFailures(
  failed: readonly FailedTenant[],
  verbose: boolean,
  look: Look,
  verb: 'failed' | 'would fail' | 'would be left out' = 'failed',
): string[] {
  const { paint, marks } = look;
  // By name, and not in the order in which they ended.
  const sorted = failed.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const causes = groupByCause(sorted, (tenant) => ({ ...tenant, error: tenant.error ?? UNKNOWN }));
  const shown = verbose ? causes : causes.slice(0, CAUSES);
  const hints = shown.map(hintOf);
  const lines = shown.flatMap((cause, at) => [
    ...renderCause(cause, verbose, look, verb),
    ...errorDetails(
      { message: '', hint: hints.indexOf(hints[at], at + 1) < 0 ? hints[at] : undefined },
      look,
    ),
  ]);
  const others = causes.slice(shown.length);
  if (others.length > 0) {
    const number = others.reduce((sum, { tenants }) => sum + tenants.length, 0);
    const reasons = counted(others.length, 'other reason');
    lines.push(
      `${paint.red(marks.failed)} ${counted(number, 'tenant')} ${verb} for ${reasons}; --verbose shows all`,
    );
  }
  return lines;
}

const UNKNOWN = { message: 'its error is no longer recorded' };

function renderCause(cause: Cause<FailedTenant>, verbose: boolean, look: Look, verb: string): string[] {
  const { paint, marks } = look;
  const { tenants, message, hasValues } = cause;
  const [first] = tenants;
  if (first === undefined) return [];
  const isOne = tenants.length === 1;
  const excerpt = (text: string) => (verbose ? text : firstLines(text, marks));
  const who = isOne ? nameAndSchema(first, look) : counted(tenants.length, 'tenant');
  const error = first.error ?? UNKNOWN;
  const title = shortError({ ...error, message: excerpt(message) });
  const details = detailsOf(first);
  const differ = tenants.some(
    (tenant) => withoutNames(detailsOf(tenant), tenant) !== withoutNames(details, first),
  );
  const lines = [wrap(`${paint.red(marks.failed)} ${who} ${verb}: ${title}`, 4, look)];
  if (!isOne && verbose) lines.push(...tenants.flatMap((tenant) => renderOwn(tenant, cause, differ, look)));
  else if (!isOne) lines.push(`    ${paint.dim(wrap(listed(tenants.map(nameOf)), 4, look))}`);
  const ofAll = (text: string) => (isOne ? text : withoutNames(text, first));
  const { at, statement } = first.error ?? {};
  const isExample = !verbose && (hasValues || differ);
  const example = hasValues ? ` ${firstLines(error.message, marks)}` : '';
  const shownDetails = verbose && differ ? '' : excerpt(differ ? details : ofAll(details));
  return [
    ...lines,
    ...errorDetails(
      {
        message,
        at,
        statement: statement && excerpt(ofAll(statement)),
        details: [
          ...(isExample ? [`for example ${nameOf(first)}:${example}`] : []),
          ...(shownDetails === '' ? [] : shownDetails.split('\n')),
        ],
      },
      look,
    ),
  ];
}

/** A tenant with what its error says in other words than those of the others. */
function renderOwn(
  tenant: FailedTenant,
  { message }: Cause<FailedTenant>,
  differ: boolean,
  look: Look,
): string[] {
  const own = tenant.error?.message ?? message;
  const details = differ ? detailsOf(tenant) : '';
  return [
    `    ${nameAndSchema(tenant, look)}${own === message ? '' : `: ${own}`}`,
    ...(details === '' ? [] : details.split('\n').map((line) => `      ${line}`)),
  ];
}

function hintOf({ tenants }: Cause<FailedTenant>): string | undefined {
  const [first] = tenants;
  const hint = first?.error?.hint;
  return first === undefined || hint === undefined || tenants.length === 1 ? hint : withoutNames(hint, first);
}

function detailsOf({ error }: FailedTenant): string {
  const blockers = (error?.blockedBy ?? []).map((blocker) => `blocked by ${blockerLine(blocker)}`);
  return [...(error?.details ?? []), ...blockers].join('\n');
}

function nameOf({ clerkOrgId }: FailedTenant): string {
  return clerkOrgId ?? 'master';
}

function nameAndSchema(tenant: FailedTenant, { paint }: Look): string {
  return `${nameOf(tenant)} ${paint.dim(tenant.schema)}`;
}

function firstLines(text: string, { ellipsis }: Look['marks']): string {
  const lines = text.split('\n');
  return lines.length <= LINES ? text : `${lines.slice(0, LINES).join('\n')}\n${ellipsis}`;
}
