import { counted, duration } from '../wording.ts';
import { element, nameElement, swatch } from './element.ts';
import type { PageData } from './page-data.ts';
import { paragraph, section } from './section.ts';
import { createTable, type Column } from './table.ts';
import { createTimeline, type Run } from './timeline.ts';
import { grouped, OUTCOMES, timeInWords } from './words.ts';

/** Runs as a timeline, and in a table with what failed and why. */
export function runsSection({ runs, readAt }: PageData): HTMLElement {
  if (runs.length === 0) return section('runs', 'Runs', paragraph('The ledger has no runs.'));
  const used = Object.values(OUTCOMES).filter((word) => runs.some((run) => OUTCOMES[run.outcome] === word));
  const legend = used.map(({ label, colour }) => element('li', {}, swatch(colour), label));
  return section(
    'runs',
    'Runs',
    paragraph(
      `The latest ${grouped(runs.length)} in the ledger, in UTC. tenantctl runs show <id> has more about one.`,
    ),
    element('ul', { class: 'legend', 'aria-label': 'Colours of the timeline' }, legend),
    createTimeline(runs, readAt).box,
    createTable({ caption: 'Runs', columns: COLUMNS, rows: runs }).box,
  );
}

const COLUMNS: readonly Column<Run>[] = [
  { title: 'Run', cell: ({ id }) => String(id), key: ({ id }) => id, isNumber: true },
  {
    title: 'Command',
    cell: ({ command }) => element('span', { class: 'whole' }, command),
    key: ({ command }) => command,
  },
  {
    title: 'Outcome',
    cell: ({ outcome }) =>
      element('span', { class: 'state' }, swatch(OUTCOMES[outcome].colour), OUTCOMES[outcome].label),
    key: ({ outcome }) => Object.keys(OUTCOMES).indexOf(outcome),
  },
  {
    title: 'Started (UTC)',
    cell: ({ startedAt }) => element('time', { datetime: startedAt }, timeInWords(startedAt)),
    key: ({ startedAt }) => startedAt,
  },
  {
    title: 'Duration',
    cell: ({ durationMs }) => (durationMs === null ? undefined : duration(durationMs)),
    key: ({ durationMs }) => durationMs ?? undefined,
    isNumber: true,
  },
  {
    title: 'Changed',
    cell: ({ totals }) => shownCount(totals.changed),
    key: ({ totals }) => totals.changed,
    isNumber: true,
  },
  {
    title: 'Failed',
    cell: ({ totals }) => shownCount(totals.failed),
    key: ({ totals }) => totals.failed,
    isNumber: true,
  },
  { title: 'What failed, and why', cell: causesCell, isWide: true },
];

function shownCount(number: number | undefined): string | undefined {
  return number === undefined ? undefined : grouped(number);
}

/** The causes; the error of the whole run where it has none. */
function causesCell({ id, causes, error, totals }: Run): HTMLElement | undefined {
  const rest = (totals.failed ?? 0) - causes.reduce((sum, { tenants }) => sum + tenants, 0);
  const items = causes.map(({ tenants, migration, message, examples }) =>
    element(
      'li',
      {},
      counted(tenants, 'tenant'),
      migration !== undefined && [', ', nameElement(migration)],
      ': ',
      nameElement(message),
      element('div', { class: 'note' }, listOfNames(examples, tenants)),
    ),
  );
  if (causes.length === 0 && error !== undefined) items.push(element('li', {}, nameElement(error.message)));
  if (rest > 0) {
    const others = `${counted(rest, 'tenant')}${causes.length > 0 ? ' for other reasons' : ''}`;
    items.push(element('li', {}, `${others}: tenantctl runs show ${id}`));
  }
  return items.length === 0 ? undefined : element('ul', { class: 'causes' }, items);
}

function listOfNames(names: readonly string[], of: number): (Node | string)[] {
  const shown = names.flatMap((name, at) => (at === 0 ? [nameElement(name)] : [', ', nameElement(name)]));
  return of > names.length ? [...shown, ` and ${grouped(of - names.length)} more`] : shown;
}
