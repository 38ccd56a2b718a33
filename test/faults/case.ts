import type { Passing } from './wire/pieces.ts';

/** What strikes. docs/reliability.md says what each stands for. */
export const KINDS = ['kill', 'terminate', 'cut', 'half-close', 'stall', 'crash'] as const;
export type Kind = (typeof KINDS)[number];

/** When it strikes: at the nth time that this point is reached, or so long after the first message on the wire. */
export type Instant = { readonly point: string; readonly nth: number } | { readonly ms: number };

/** One command, and what happens to it. */
export interface Case {
  readonly scenario: string;
  readonly kind: Kind;
  readonly passing: Passing;
  readonly instant: Instant;
}

/** A case in words, which `--case` reads again. */
export function caseText({ scenario, kind, passing, instant }: Case): string {
  const when = 'ms' in instant ? `at ${instant.ms} ms` : `${instant.point} #${instant.nth}`;
  return `${scenario}: ${kind}, ${passing}, ${when}`;
}

const FORM = /^([\w-]+): ([\w-]+), (whole|statements), (?:at (\d+) ms|((?:before|sent|after) .+) #(\d+))$/;

/** @returns undefined where the text is none that caseText has written */
export function parseCase(text: string): Case | undefined {
  const [, scenario, kind, passing, ms, point, nth] = FORM.exec(text) ?? [];
  const known = KINDS.find((each) => each === kind);
  if (scenario === undefined || known === undefined) return undefined;
  return {
    scenario,
    kind: known,
    passing: passing === 'whole' ? 'whole' : 'statements',
    instant: point === undefined ? { ms: Number(ms) } : { point, nth: Number(nth) },
  };
}
