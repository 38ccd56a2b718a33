import type { Blocker, ErrorReport } from '../../errors.ts';
import { counted, listed } from '../../wording.ts';
import { groupByCause, withoutNames, type Cause } from './causes.ts';
import { blockerLine, errorDetails, shortError } from './error.ts';
import type { Look } from './look.ts';

export interface FailedTenant {
  /** Null for the master schema. */
  readonly clerkOrgId: string | null;
  readonly schema: string;
  /** Absent if it is no longer known. */
  readonly error?: ErrorReport | null | undefined;
}

/** How many causes, and how many lines of a text, are shown without --verbose. */
const CAUSES = 8;
const LINES = 4;

/**
 * Failed tenants: a block for each cause, with the first names. With `verbose` every cause in full, with every
 * tenant and what its own message says.
 */
export function renderFailures(
  failed: readonly FailedTenant[],
  verbose: boolean,
  look: Look,
  verb: 'failed' | 'would fail' = 'failed',
): string[] {
  const { paint, marks } = look;
  // By name, and not in the order in which they ended.
  const sorted = failed.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const causes = groupByCause(sorted, (tenant) => ({ ...tenant, error: tenant.error ?? UNKNOWN }));
  const shown = verbose ? causes : causes.slice(0, CAUSES);
  const lines = shown.flatMap((cause) => renderCause(cause, verbose, look, verb));
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
  const { tenants, message } = cause;
  const excerpt = (text: string) => (verbose ? text : firstLines(text, marks));
  const [first] = tenants;
  const who =
    tenants.length === 1 && first !== undefined
      ? `${nameOf(first)} ${paint.dim(first.schema)}`
      : counted(tenants.length, 'tenant');
  const title = shortError({ ...(first?.error ?? UNKNOWN), message: excerpt(message) });
  const lines = [`${paint.red(marks.failed)} ${who} ${verb}: ${title}`];
  if (tenants.length > 1 && verbose)
    for (const { error, ...tenant } of tenants) {
      const own = error?.message === message || !error ? '' : `: ${error.message}`;
      lines.push(`    ${nameOf(tenant)} ${paint.dim(tenant.schema)}${own}`);
    }
  else if (tenants.length > 1) lines.push(`    ${paint.dim(listed(tenants.map(nameOf)))}`);
  return [...lines, ...renderDetails(cause, excerpt, look)];
}

/** What the first tenant's error says besides its message; what only that tenant has is marked as an example. */
function renderDetails(
  { tenants, hasValues }: Cause<FailedTenant>,
  excerpt: (text: string) => string,
  look: Look,
): string[] {
  const [first] = tenants;
  if (!first?.error) return [];
  const detailsOf = ({ error, ...names }: FailedTenant) => {
    const text = [...(error?.details ?? []), ...(error?.blockedBy ?? []).map(blockedBy)].join('\n');
    return tenants.length === 1 ? text : withoutNames(text, names);
  };
  const { message, at, statement, hint } = first.error;
  const details = detailsOf(first);
  const areOwn = details !== '' && tenants.some((tenant) => detailsOf(tenant) !== details);
  const example = hasValues ? ` ${firstLines(message, look.marks)}` : '';
  const shared = (text: string | undefined) =>
    text === undefined || tenants.length === 1 ? text : withoutNames(text, first);
  return errorDetails(
    {
      message,
      at,
      statement: statement && excerpt(shared(statement) ?? ''),
      details: [
        ...(hasValues || areOwn ? [`for example ${nameOf(first)}:${example}`] : []),
        ...(details === '' ? [] : excerpt(details).split('\n')),
      ],
      hint: shared(hint),
    },
    look,
  );
}

function blockedBy(blocker: Blocker): string {
  return `blocked by ${blockerLine(blocker)}`;
}

function nameOf({ clerkOrgId }: Pick<FailedTenant, 'clerkOrgId'>): string {
  return clerkOrgId ?? 'master';
}

function firstLines(text: string, { ellipsis }: Look['marks']): string {
  const lines = text.split('\n');
  return lines.length <= LINES ? text : `${lines.slice(0, LINES).join('\n')}\n${ellipsis}`;
}
