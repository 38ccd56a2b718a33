import type { TenantRows } from '../../core/query/query-tenants.ts';
import { jsonValue } from '../../db/json-value.ts';
import { TenantctlError } from '../../errors.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';
import { visible } from './visible.ts';

export type RowFormat = 'table' | 'csv' | 'jsonl' | 'json';

export interface RowRenderer {
  /** A part's text; empty if deferred. @throws TenantctlError if the rows do not fit the format */
  rows(rows: TenantRows): string | Promise<string>;
  end(): string | Promise<string>;
}

const ORGANIZATION = 'organization';

export function createRowRenderer(format: RowFormat, look: Look): RowRenderer {
  if (format === 'table') return createTable(look);
  if (format === 'csv') return createCsv();
  if (format === 'json') return createJson();
  return { rows: (rows) => jsonObjects(rows, '', '\n'), end: () => '' };
}

/** The `rows` of a JSON document, from its beginning to the comma after them. */
function createJson(): RowRenderer {
  let isBegun = false;
  return {
    rows(rows) {
      const text = jsonObjects(rows, ',\n    ', '');
      if (isBegun || text === '') return text;
      isBegun = true;
      return `{\n  "rows": [${text.slice(1)}`;
    },
    end: () => (isBegun ? '\n  ],' : '{\n  "rows": [],'),
  };
}

/** The first rows of a table set the widths: at least this many rows, or characters. */
const BLOCK_ROWS = 1_000;
const BLOCK_LENGTH = 256 * 1_024;

/**
 * Data is never cut: on a terminal that is too narrow, each row becomes a record with a line for each column.
 * Memory is bounded: later rows are written at once and can widen columns.
 */
function createTable({ width: available = Infinity, ...look }: Look): RowRenderer {
  let head: readonly string[] = [];
  let widths: number[] = [];
  /** The first rows; undefined once written. */
  let waiting: string[][] | undefined;
  let length = 0;
  let isNarrow = false;
  const draw = async (heads: readonly string[], rows: string[][]) => {
    const text = isNarrow
      ? rows.map((row) => recordOf(head, row, look.paint)).join('\n')
      : await renderTable(heads, rows, { ...look, width: undefined }, { widths });
    return `${text}\n`;
  };
  const flush = async () => {
    if (waiting === undefined) return '';
    isNarrow = widthOf([head, ...waiting]) > available;
    const text = await draw(head, waiting);
    waiting = undefined;
    return text;
  };
  return {
    async rows({ tenant, columns, rows }) {
      const names = namesOf(columns).map(visible);
      let text = '';
      if (!areSame(names, head)) {
        text = (await flush()) + (head.length > 0 ? '\n' : '');
        [head, widths, waiting, length] = [names, [], [], 0];
      }
      const cells = rows.map((row) => [tenant.clerkOrgId, ...row].map(cellOf));
      if (waiting === undefined) return rows.length === 0 ? text : text + (await draw([], cells));
      waiting.push(...cells);
      length += cells.flat().join('').length;
      const isEnough = waiting.length >= BLOCK_ROWS || length >= BLOCK_LENGTH;
      return isEnough ? text + (await flush()) : text;
    },
    end: flush,
  };
}

/** Columns that a table of plain characters takes. */
function widthOf(rows: readonly (readonly string[])[]): number {
  const widths: number[] = [];
  for (const row of rows)
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, cell.length + 2);
  return widths.reduce((sum, width) => sum + width, -2);
}

/** A line for each column, and an empty one. */
function recordOf(head: readonly string[], row: readonly string[], paint: Look['paint']): string {
  const width = Math.max(...head.map((name) => name.length));
  const lines = head.map((name, column) => `${paint.dim(name.padEnd(width))}  ${row[column] ?? ''}\n`);
  return lines.join('');
}

function cellOf(value: string | null): string {
  return value === null ? 'NULL' : visible(value);
}

/** RFC 4180. As in PostgreSQL's COPY, NULL is an empty field and an empty string is "". */
function createCsv(): RowRenderer {
  let head: readonly string[] | undefined;
  return {
    rows({ tenant, columns, rows }) {
      const names = namesOf(columns);
      const lines = rows.map((row) => csvLine([tenant.clerkOrgId, ...row])).join('');
      if (head !== undefined) {
        if (!areSame(names, head)) throw columnsDiffer(names, head);
        return lines;
      }
      head = names;
      return csvLine(names) + lines;
    },
    end: () => '',
  };
}

function csvLine(values: readonly (string | null)[]): string {
  return `${values.map((value) => (value === null ? '' : csvField(value))).join(',')}\n`;
}

function csvField(value: string): string {
  return value === '' || /[",\r\n]|^\s|\s$|^\\\.$/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

function columnsDiffer([, ...names]: readonly string[], [, ...head]: readonly string[]): TenantctlError {
  return new TenantctlError(
    'DATABASE_ERROR',
    `The columns are ${names.join(', ')}; those of the first tenant are ${head.join(', ')}.`,
    { hint: 'A CSV file has the same columns throughout: name them in the query, or use --format jsonl.' },
  );
}

/** One JSON object per row, each within the same text. */
function jsonObjects({ tenant, columns, rows }: TenantRows, before: string, after: string): string {
  const names = namesOf(columns);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new TenantctlError('DATABASE_ERROR', `Two columns are called "${twice}".`, {
      hint: `In JSON each column needs its own name: rename it with AS. The first column is "${ORGANIZATION}".`,
    });
  const [organization, ...keys] = names.map((name) => JSON.stringify(name));
  const start = `${before}{${organization}:${JSON.stringify(tenant.clerkOrgId)}`;
  const objectOf = (row: readonly (string | null)[]) => {
    const fields = columns.map(({ type }, at) => `,${keys[at]}:${jsonValue(type, row[at] ?? null)}`);
    return `${start}${fields.join('')}}${after}`;
  };
  return rows.map(objectOf).join('');
}

function namesOf(columns: TenantRows['columns']): string[] {
  return [ORGANIZATION, ...columns.map(({ name }) => name)];
}

function areSame(names: readonly string[], others: readonly string[]): boolean {
  return names.join('\0') === others.join('\0');
}
