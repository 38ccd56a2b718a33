import { counted } from '../wording.ts';
import { createBars } from './bars.ts';
import { element, nameElement, swatch } from './element.ts';
import type { PageData } from './page-data.ts';
import { folded, paragraph, section } from './section.ts';
import { createTable } from './table.ts';
import { CLASSES, grouped } from './words.ts';

type Status = PageData['status'];

/** How many tenants are in each class, and the state of the master schema. */
export function overviewSection({ master, tenants }: Status): HTMLElement {
  const classes = Object.entries(CLASSES).toReversed();
  const bar = element('div', { class: 'class-bar', 'aria-hidden': 'true' });
  for (const [of, { colour }] of classes) {
    const part = element('span');
    part.style.setProperty('flex-grow', String(tenants[of as keyof typeof CLASSES]));
    part.style.setProperty('--colour', `var(--${colour})`);
    if (tenants[of as keyof typeof CLASSES] > 0) bar.append(part);
  }
  const figures = classes.map(([of, { label, colour }]) =>
    figure(of, tenants[of as keyof typeof CLASSES], [swatch(colour), label]),
  );
  const statuses = Object.entries(tenants.byStatus).map(([status, number]) => `${grouped(number)} ${status}`);
  return section(
    'overview',
    'Overview',
    element('dl', { class: 'figures' }, figure('total', tenants.total, ['tenants']), figures),
    tenants.total === 0 ? undefined : bar,
    statuses.length > 1 ? paragraph(`By status: ${statuses.join(', ')}.`) : undefined,
    masterParagraph(master),
  );
}

function figure(name: string, number: number, label: readonly (Node | string)[]): HTMLElement {
  return element(
    'div',
    {},
    element('dt', {}, label),
    element('dd', { 'data-figure': name }, grouped(number)),
  );
}

function masterParagraph({ applied, pending, problem }: Status['master']): HTMLElement {
  const names = pending.flatMap((name, at) => [at === 0 ? ': ' : ', ', nameElement(name)]);
  return element(
    'p',
    {},
    `Master schema: ${counted(applied.length, 'migration')} applied, ${grouped(pending.length)} pending`,
    names,
    '.',
    problem !== undefined && element('strong', { class: 'problem' }, ' ', nameElement(problem)),
  );
}

/** Bars that fit beside each other. */
const MOST_BARS = 15;

/** The fleet by version. */
export function versionsSection({ versions }: Status): HTMLElement {
  if (versions.length === 0)
    return section('versions', 'Versions', paragraph('No tenant has a schema with migrations.'));
  const least = versions.map(({ tenants }) => tenants).toSorted((a, b) => b - a)[MOST_BARS - 1] ?? 0;
  const shown = versions.filter(({ tenants }) => tenants >= least).slice(0, MOST_BARS);
  const bars = shown.map(({ version, tenants, pending }) => ({
    name: version ?? 'none applied',
    value: tenants,
    shown: pending === 0 ? grouped(tenants) : `${grouped(tenants)} (${pending} pending)`,
    colour: pending === 0 ? 'fine' : 'behind',
  }));
  const table = createTable({
    caption: 'Versions',
    columns: [
      {
        title: 'Newest migration',
        cell: ({ version }) => (version === null ? 'none applied' : nameElement(version)),
        key: ({ version }) => version ?? '',
      },
      {
        title: 'Tenants',
        cell: ({ tenants }) => grouped(tenants),
        key: ({ tenants }) => tenants,
        isNumber: true,
      },
      {
        title: 'Pending',
        cell: ({ pending }) => grouped(pending),
        key: ({ pending }) => pending,
        isNumber: true,
      },
    ],
    rows: versions,
  });
  return section(
    'versions',
    'Versions',
    versions.length > shown.length
      ? paragraph(`The ${shown.length} with the most tenants, of ${grouped(versions.length)}.`)
      : undefined,
    createBars('Tenants by version. The table below has the same facts.', bars).box,
    folded(`Table of ${counted(versions.length, 'version')}`, table.box),
  );
}
