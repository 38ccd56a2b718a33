import type { ChalkInstance } from 'chalk';
import type { TenantRows } from '../../core/query/query-tenants.ts';
import { jsonValue } from '../../db/json-value.ts';
import { TenantctlError } from '../../errors.ts';
import { renderTable } from './table.ts';

export const ROW_FORMATS = ['table', 'csv', 'jsonl', 'json'] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** Renders the rows of many tenants, a part at a time. */
export interface RowRenderer {
  /**
   * The text of a part; empty where it comes with a later one. @throws TenantctlError for a tenant that does not fit in
   */
  rows(rows: TenantRows): string | Promise<string>;
  /** What follows on the last part. */
  end(): string | Promise<string>;
}

/** The first column. */
const ORGANIZATION = 'organization';

export function createRowRenderer(format: RowFormat, paint: ChalkInstance): RowRenderer {
  if (format === 'table') return createTable(paint);
  if (format === 'csv') return createCsv();
  if (format === 'jsonl')
    return {
      rows: (rows) =>
        jsonLines(rows)
          .map((line) => `${line}\n`)
          .join(''),
      end: () => '',
    };
  let separator = '{\n  "rows": [\n    ';
  return {
    rows: (rows) =>
      jsonLines(rows)
        .map((line) => {
          const text = separator + line;
          separator = ',\n    ';
          return text;
        })
        .join(''),
    end: () => (separator.startsWith(',') ? '\n  ],' : '{\n  "rows": [],'),
  };
}

/** So many rows, or so many characters of them, decide on the widths of a table's columns. */
const BLOCK_ROWS = 1_000;
const BLOCK_LENGTH = 256 * 1_024;

/** A table whose first rows decide on the widths, so that memory is bounded; later rows can make columns wider. */
function createTable(paint: ChalkInstance): RowRenderer {
  let head: readonly string[] = [];
  let isHeadDue = false;
  let widths: number[] = [];
  let block: string[][] = [];
  let length = 0;
  const flush = async () => {
    if (!isHeadDue && block.length === 0) return '';
    const text = await renderTable(isHeadDue ? head.map((name) => paint.dim(name)) : [], block, widths);
    [isHeadDue, block, length] = [false, [], 0];
    return `${text}\n`;
  };
  return {
    async rows({ tenant, columns, rows }) {
      const names = [ORGANIZATION, ...namesOf(columns)].map(visible);
      let text = '';
      if (names.join('\0') !== head.join('\0')) {
        text = await flush();
        if (head.length > 0) text += '\n';
        [head, isHeadDue, widths] = [names, true, []];
      }
      for (const row of rows) {
        const cells = [tenant.clerkOrgId, ...row].map((value) => (value === null ? 'NULL' : visible(value)));
        block.push(cells);
        length += cells.reduce((sum, cell) => sum + cell.length, 0);
      }
      const isEnough = !isHeadDue || block.length >= BLOCK_ROWS || length >= BLOCK_LENGTH;
      return isEnough ? text + (await flush()) : text;
    },
    end: flush,
  };
}

/** Control characters as escapes, those that turn the direction of writing included: data must not move the cursor. */
function visible(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu,
    (character) => ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** RFC 4180, with what PostgreSQL's COPY adds: NULL is an empty field, an empty string is "". */
function createCsv(): RowRenderer {
  let head: readonly string[] | undefined;
  return {
    rows({ tenant, columns, rows }) {
      const names = namesOf(columns);
      const lines = rows.map((row) => csvLine([tenant.clerkOrgId, ...row]));
      if (head === undefined) {
        head = names;
        return csvLine([ORGANIZATION, ...names]) + lines.join('');
      }
      if (names.join('\0') !== head.join('\0')) throw columnsDiffer(names, head);
      return lines.join('');
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

function columnsDiffer(names: readonly string[], head: readonly string[]): TenantctlError {
  return new TenantctlError(
    'DATABASE_ERROR',
    `The columns are ${names.join(', ')}; those of the first tenant are ${head.join(', ')}.`,
    { hint: 'A CSV file has the same columns throughout: name them in the query, or use --format jsonl.' },
  );
}

/** One JSON object for each row. */
function jsonLines({ tenant, columns, rows }: TenantRows): string[] {
  const names = [ORGANIZATION, ...namesOf(columns)];
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new TenantctlError('DATABASE_ERROR', `Two columns are called "${twice}".`, {
      hint: `In JSON each needs a name of its own: give it one with AS. The first column is "${ORGANIZATION}".`,
    });
  const keys = names.map((name) => JSON.stringify(name));
  const organization = JSON.stringify(tenant.clerkOrgId);
  return rows.map((row) => {
    const values = [organization, ...columns.map(({ type }, at) => jsonValue(type, row[at] ?? null))];
    return `{${keys.map((key, at) => `${key}:${values[at]}`).join(',')}}`;
  });
}

function namesOf(columns: TenantRows['columns']): string[] {
  return columns.map(({ name }) => name);
}
