import type { Passing } from './wire/pieces.ts';

/** Kinds of faults, explained in docs/reliability.md. */
export const KINDS = [
  'kill',
  'terminate',
  'cut',
  'half-close',
  'stall',
  'crash',
  'headless',
  'full-disk',
  'full-folder',
  'pause',
  'pause-backend',
  'pause-server',
] as const;
export type Kind = (typeof KINDS)[number];

/** What befalls the server hits every case: such a case runs alone, at a time and not at a point. */
export const HITS_SERVER: ReadonlySet<Kind> = new Set(['crash', 'headless', 'full-disk', 'pause-server']);

/** After these the server recovers from its WAL. */
export const ENDS_SERVER: ReadonlySet<Kind> = new Set(['crash', 'headless']);

/** When it strikes: at the nth occurrence of a point, or milliseconds after the first message. */
export type Instant = { readonly point: string; readonly nth: number } | { readonly ms: number };

export interface Case {
  readonly scenario: string;
  readonly kind: Kind;
  readonly passing: Passing;
  readonly instant: Instant;
}

/** A case as text for `--case`. */
export function caseText({ scenario, kind, passing, instant }: Case): string {
  const when = 'ms' in instant ? `at ${instant.ms} ms` : `${instant.point} #${instant.nth}`;
  return `${scenario}: ${kind}, ${passing}, ${when}`;
}

const FORM = /^([\w-]+): ([\w-]+), (whole|statements), (?:at (\d+) ms|((?:before|sent|after) .+) #(\d+))$/;

/** Parses caseText's format. @returns undefined if invalid */
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
