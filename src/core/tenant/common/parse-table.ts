import { parse } from 'csv-parse/sync';
import { messageOf, TenantctlError } from '../../../errors.ts';
import { listed } from '../../../wording.ts';

/** A line that names the wanted fields. */
export interface TableRow<Field extends string> {
  /** From 1. */
  readonly line: number;
  readonly values: Readonly<Record<Field, string>>;
}

/** A line that cannot be used. */
export interface BadLine {
  /** From 1. */
  readonly line: number;
  readonly error: TenantctlError;
}

export interface Table<Field extends string> {
  readonly rows: readonly TableRow<Field>[];
  readonly bad: readonly BadLine[];
}

/** The names that a field may have in a header or an object. Case, `_` and `-` do not matter. */
type FieldNames<Field extends string> = Readonly<Record<Field, readonly string[]>>;

const DELIMITERS = [',', ';', '\t'];

/**
 * Reads fields from a text in CSV (RFC 4180; also with `;` or tabs) or JSON Lines; empty lines are skipped. CSV
 * begins with the names of its columns, which may be left out if one field is wanted and there is one column.
 * @throws TenantctlError FILE_UNUSABLE if the text as a whole is not such a table
 */
export function parseTable<Field extends string>(text: string, names: FieldNames<Field>): Table<Field> {
  const first = /^\s*(\S)/.exec(text)?.[1];
  if (first === '[')
    throw unusable('It is one JSON array.', "JSON Lines have a value in each line: jq -c '.[]' file.json");
  return first === '{' ? parseJsonLines(text, names) : parseCsv(text, names);
}

/** Pure. @param name in a header or an object */
function fieldOf<Field extends string>(name: string, names: FieldNames<Field>): Field | undefined {
  const plain = (word: string) => word.toLowerCase().replaceAll(/[_\-\s]/g, '');
  const fields = Object.keys(names) as Field[];
  return fields.find((field) => names[field].some((known) => plain(known) === plain(name)));
}

function parseJsonLines<Field extends string>(text: string, names: FieldNames<Field>): Table<Field> {
  const rows: TableRow<Field>[] = [];
  const bad: BadLine[] = [];
  for (const [index, content] of text.split('\n').entries()) {
    if (content.trim() === '') continue;
    const line = index + 1;
    try {
      const fields = Object.entries(JSON.parse(content) as object).flatMap(([name, value]) => {
        const field = fieldOf(name, names);
        const isWord = typeof value === 'string' || typeof value === 'number';
        return field === undefined || !isWord ? [] : [[field, String(value)] as const];
      });
      rows.push({ line, values: complete(Object.fromEntries(fields), names) });
    } catch (error) {
      bad.push({ line, error: badLine(error) });
    }
  }
  return { rows, bad };
}

/** @throws TenantctlError LINE_INVALID */
function complete<Field extends string>(
  values: { readonly [name: string]: string },
  names: FieldNames<Field>,
): Record<Field, string> {
  const missing = (Object.keys(names) as Field[]).filter((field) => values[field] === undefined);
  if (missing.length === 0) return values as Record<Field, string>;
  throw lineInvalid(`it has no ${missing.map((field) => names[field][0]).join(' and no ')}`);
}

function parseCsv<Field extends string>(text: string, names: FieldNames<Field>): Table<Field> {
  const records = csvRecords(text);
  const header = records[0]?.cells ?? [];
  const fields = header.map((cell) => fieldOf(cell, names));
  const wanted = Object.keys(names) as Field[];
  const hasHeader = fields.some((field) => field !== undefined);
  const missing = wanted.filter((field) => !fields.includes(field));
  if (!hasHeader && wanted.length === 1 && header.length <= 1) fields.fill(wanted[0]);
  else if (missing.length > 0)
    throw unusable(
      `The first line has the columns ${listed(header)}; ${missing.map((field) => names[field][0]).join(' and ')} is missing.`,
      `Name the ${missing.length === 1 ? 'column' : 'columns'} in the first line: ${wanted.map((field) => names[field][0]).join(',')}`,
    );
  const rows: TableRow<Field>[] = [];
  const bad: BadLine[] = [];
  for (const { line, cells } of hasHeader ? records.slice(1) : records) {
    if (cells.length !== header.length) {
      const reason = `it has ${cells.length} columns, and the first line ${header.length}`;
      bad.push({ line, error: lineInvalid(reason) });
      continue;
    }
    const values = wanted.map((field) => [field, cells[fields.indexOf(field)] ?? ''] as const);
    rows.push({ line, values: Object.fromEntries(values) as Record<Field, string> });
  }
  return { rows, bad };
}

interface CsvRecord {
  readonly line: number;
  readonly cells: readonly string[];
}

/** @throws TenantctlError FILE_UNUSABLE for a quote that is not closed: where it should have ended is not known */
function csvRecords(text: string): CsvRecord[] {
  const firstLine = /\S.*/.exec(text)?.[0] ?? '';
  const ends: number[] = [];
  try {
    const records = parse(text, {
      delimiter: DELIMITERS.find((delimiter) => firstLine.includes(delimiter)) ?? ',',
      relax_column_count: true,
      relax_quotes: true,
      skip_empty_lines: true,
      trim: true,
      on_record(cells: string[], { lines }) {
        ends.push(lines);
        return cells;
      },
    });
    return records.map((cells, index) => {
      const breaks = cells.join('').split('\n').length - 1;
      return { line: (ends[index] ?? 0) - breaks, cells };
    });
  } catch (cause) {
    const message = `The quotes are wrong in line ${(ends.at(-1) ?? 0) + 1} or later: ${messageOf(cause)}`;
    throw unusable(message, 'Close each double quote. Within quotes, write a double quote twice.');
  }
}

function badLine(thrown: unknown): TenantctlError {
  return thrown instanceof TenantctlError ? thrown : lineInvalid(`it is not JSON (${messageOf(thrown)})`);
}

function lineInvalid(reason: string): TenantctlError {
  return new TenantctlError('LINE_INVALID', `This line is refused: ${reason}.`);
}

function unusable(message: string, hint: string): TenantctlError {
  return new TenantctlError('FILE_UNUSABLE', message, { hint });
}
