import { caseText, KINDS, type Case, type Kind } from './case.ts';
import type { Verdict } from './run-case.ts';

export interface Judged extends Verdict {
  readonly case: Case;
}

export interface Tallies {
  readonly struck: Readonly<Record<Kind, number>>;
  /** Number of cases in which the command ended before the fault. */
  readonly missed: number;
  /** How often the program survived a fault that does not kill it and finished all work. */
  readonly survived: number;
  /** Number of points struck, counting before, during and after separately. */
  readonly points: number;
  /** Number of tenants in which a migration outside a transaction was interrupted and reported. */
  readonly interrupted: number;
  /** The longest time that a backend continued without its client, in milliseconds. */
  readonly longestQuietMs: number;
  readonly failed: number;
}

export function tally(judged: readonly Judged[]): Tallies {
  const struck = judged.filter(({ hasStruck }) => hasStruck);
  const count = (kind: Kind) => struck.filter((each) => each.case.kind === kind).length;
  const points = struck.flatMap(({ case: { instant, passing } }) =>
    'point' in instant ? [`${passing} ${instant.point}`] : [],
  );
  return {
    struck: Object.fromEntries(KINDS.map((kind) => [kind, count(kind)])) as Record<Kind, number>,
    missed: judged.length - struck.length,
    survived: struck.filter(({ hasSurvived }) => hasSurvived).length,
    points: new Set(points).size,
    interrupted: struck.reduce((sum, each) => sum + each.interrupted, 0),
    longestQuietMs: Math.round(Math.max(0, ...struck.map(({ quietAfterMs }) => quietAfterMs))),
    failed: judged.filter(({ findings }) => findings.length > 0).length,
  };
}

/** A violated guarantee and how to reproduce it. @param flags those that do not choose cases */
export function failureText({ case: one, findings }: Judged, flags: string): string {
  return [
    `✖ ${caseText(one)}`,
    ...findings.map((finding) => `    ${finding}`),
    `  Again: pnpm test:faults${flags} --case "${caseText(one)}"`,
  ].join('\n');
}

export function summaryText(tallies: Tallies, seed: number, seconds: number): string {
  const { struck, missed, survived, points, interrupted, longestQuietMs, failed } = tallies;
  const kinds = KINDS.filter((kind) => struck[kind] > 0).map((kind) => `${struck[kind]} × ${kind}`);
  const total = KINDS.reduce((sum, kind) => sum + struck[kind], 0);
  return [
    `${total} faults struck (${kinds.join(', ')}) at ${points} different points and at random instants, seed ${seed}, ${seconds} s.`,
    ...(missed > 0 ? [`${missed} came too late: the command was over.`] : []),
    `${survived} commands went on to their end by themselves; all others were finished by the next run.`,
    `${interrupted} migrations outside a transaction were interrupted, and reported as such.`,
    `No backend was at work without its client for longer than ${(longestQuietMs / 1000).toFixed(1)} s.`,
    failed === 0
      ? 'Every promise was kept: history and schema agreed, nothing was left locked or half made, and all was done once.'
      : `In ${failed} cases a promise was broken.`,
  ].join('\n');
}
