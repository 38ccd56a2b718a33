import { duration } from '../wording.ts';
import { createBars } from './bars.ts';
import { nameElement } from './element.ts';
import type { Tenant } from './heat-map.ts';
import type { PageData } from './page-data.ts';
import { folded, paragraph, section } from './section.ts';
import { createTable } from './table.ts';
import { grouped, sizeInWords } from './words.ts';

/** Tenants in a ranking. */
const MOST = 15;

/** The tenants that took longest in one of the runs. */
export function slowestSection({ tenants }: PageData): HTMLElement {
  return rankingSection('slowest', 'Slowest tenants', 'No tenant took part in these runs.', {
    tenants,
    valueOf: ({ longest }) => longest?.durationMs,
    shownFor: ({ longest }) => duration(longest?.durationMs ?? 0),
    note: () => 'The longest work on a tenant in one run.',
    column: 'Longest work',
    more: { title: 'Run', cell: ({ longest }) => String(longest?.run ?? ''), isNumber: true },
  });
}

/** The largest tenants. */
export function sizesSection({ tenants, sizes }: PageData): HTMLElement {
  return rankingSection('sizes', 'Sizes', sizes?.note ?? 'The sizes were not measured.', {
    tenants,
    valueOf: ({ bytes }) => bytes,
    shownFor: ({ bytes }) => sizeInWords(bytes ?? 0),
    note(values) {
      const total = values.reduce((sum, value) => sum + value, 0);
      const median = values[Math.floor(values.length / 2)] ?? 0;
      return `${sizeInWords(total)} in ${grouped(values.length)} schemas, with indexes; median ${sizeInWords(median)}.`;
    },
    column: 'Size',
  });
}

interface Ranking {
  readonly tenants: readonly Tenant[];
  readonly valueOf: (tenant: Tenant) => number | undefined;
  readonly shownFor: (tenant: Tenant) => string;
  /** @param values from the largest on */
  readonly note: (values: readonly number[]) => string;
  readonly column: string;
  readonly more?: {
    readonly title: string;
    readonly cell: (tenant: Tenant) => string;
    readonly isNumber: boolean;
  };
}

function rankingSection(
  id: string,
  title: string,
  otherwise: string,
  { tenants, valueOf, shownFor, note, column, more }: Ranking,
): HTMLElement {
  const ranked = tenants
    .flatMap((tenant) => {
      const value = valueOf(tenant);
      return value === undefined ? [] : [{ tenant, value }];
    })
    .toSorted((one, other) => other.value - one.value);
  if (ranked.length === 0) return section(id, title, paragraph(otherwise));
  const first = ranked.slice(0, MOST);
  const bars = first.map(({ tenant, value }) => ({
    name: tenant.clerkOrgId,
    value,
    shown: shownFor(tenant),
    colour: 'accent',
  }));
  const table = createTable({
    caption: title,
    columns: [
      {
        title: 'Organization',
        cell: ({ clerkOrgId }) => nameElement(clerkOrgId),
        key: ({ clerkOrgId }) => clerkOrgId,
      },
      { title: column, cell: shownFor, key: valueOf, isNumber: true },
      ...(more === undefined ? [] : [more]),
    ],
    rows: first.map(({ tenant }) => tenant),
  });
  return section(
    id,
    title,
    paragraph(note(ranked.map(({ value }) => value))),
    createBars(`${title}: the first ${first.length}. The table below has the same facts.`, bars).box,
    folded(`Table of the first ${first.length}`, table.box),
  );
}
