import { element } from './element.ts';
import { grouped } from './words.ts';

export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => Node | string | undefined;
  /** What rows are sorted by; absent where there is nothing to compare. */
  readonly key?: (row: Row) => number | string | undefined;
  readonly isNumber?: boolean;
  readonly isWide?: boolean;
}

export interface TableOptions<Row> {
  readonly caption: string;
  /** The first column names the row. */
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
}

export interface SortableTable<Row> {
  readonly box: HTMLElement;
  show(rows: readonly Row[]): void;
}

/** More rows than this are shown on request. */
const PART = 200;

/** A table whose headings sort it. Its box can be scrolled by keyboard. */
export function createTable<Row>({ caption, columns, rows }: TableOptions<Row>): SortableTable<Row> {
  let given = rows;
  let shown = PART;
  let order: { readonly column: Column<Row>; readonly isDescending: boolean } | undefined;
  const body = element('tbody');
  const more = element('button', { type: 'button', class: 'more', click: () => grow() });
  const draw = () => {
    const sorted = order === undefined ? given : sortRows(given, order.column, order.isDescending);
    body.replaceChildren(...sorted.slice(0, shown).map((row) => rowElement(columns, row)));
    const rest = sorted.length - shown;
    more.hidden = rest <= 0;
    more.textContent = `Show ${grouped(Math.min(PART, rest))} more of ${grouped(sorted.length)}`;
  };
  const grow = () => {
    shown += PART;
    draw();
  };
  const headings = columns.map((column) => {
    const heading = element('th', { scope: 'col', class: classOf(column) });
    if (column.key === undefined) heading.append(column.title);
    else heading.append(element('button', { type: 'button', click: () => sortBy(column) }, column.title));
    return heading;
  });
  const sortBy = (column: Column<Row>) => {
    order = {
      column,
      isDescending: order?.column === column ? !order.isDescending : column.isNumber === true,
    };
    for (const [at, heading] of headings.entries()) {
      if (columns[at] !== column) heading.removeAttribute('aria-sort');
      else heading.setAttribute('aria-sort', order.isDescending ? 'descending' : 'ascending');
    }
    draw();
  };
  draw();
  const table = element(
    'table',
    {},
    element('caption', {}, caption),
    element('thead', {}, element('tr', {}, headings)),
    body,
  );
  const scroller = element(
    'div',
    { class: 'scroller', role: 'region', tabindex: 0, 'aria-label': `Table: ${caption}` },
    table,
  );
  return {
    box: element('div', { class: 'table' }, scroller, more),
    show(next) {
      given = next;
      shown = PART;
      draw();
    },
  };
}

function rowElement<Row>(columns: readonly Column<Row>[], row: Row): HTMLElement {
  return element(
    'tr',
    {},
    columns.map((column, at) => {
      const content = column.cell(row);
      return at === 0
        ? element('th', { scope: 'row', class: classOf(column) }, content)
        : element('td', { class: classOf(column) }, content);
    }),
  );
}

function classOf<Row>({ isNumber, isWide }: Column<Row>): string | undefined {
  return isNumber === true ? 'number' : isWide === true ? 'wide' : undefined;
}

const BY_NAME = new Intl.Collator('en', { numeric: true });

/** Rows without a key come last, in either direction. Pure. */
function sortRows<Row>(rows: readonly Row[], { key }: Column<Row>, isDescending: boolean): readonly Row[] {
  const keyed = rows.map((row) => ({ row, by: key?.(row) }));
  const compare = (one: number | string, other: number | string) =>
    typeof one === 'number' && typeof other === 'number'
      ? one - other
      : BY_NAME.compare(String(one), String(other));
  return keyed
    .toSorted((one, other) => {
      if (one.by === undefined || other.by === undefined)
        return Number(one.by === undefined) - Number(other.by === undefined);
      return isDescending ? compare(other.by, one.by) : compare(one.by, other.by);
    })
    .map(({ row }) => row);
}
