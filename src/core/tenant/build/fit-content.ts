import { Readable } from 'node:stream';
import type { Content, ContentTable } from '../../content/content.ts';

/** The part of a content that another schema has a place for. */
export interface FittingContent {
  readonly content: Content;
  /** What has no place: `table notes`, `column notes.text`, `sequence notes_seq`, `materialized view totals`. */
  readonly left: readonly string[];
}

/** Pure. @param here the content of the schema to fill */
export function fitContent(content: Content, here: Content): FittingContent {
  const left: string[] = [];
  const byName = <T extends { readonly name: string }>(items: readonly T[]) =>
    new Map(items.map((item) => [item.name, item]));
  const keep = <T extends { readonly name: string }>(
    noun: string,
    items: readonly T[],
    others: readonly T[],
  ) => {
    const known = byName(others);
    for (const { name } of items) if (!known.has(name)) left.push(`${noun} ${name}`);
    return items.filter(({ name }) => known.has(name));
  };
  const known = byName(here.tables);
  const tables = keep('table', content.tables, here.tables).map((table) => {
    const columns = table.columns.filter((column) => known.get(table.name)?.columns.includes(column));
    for (const column of table.columns)
      if (!columns.includes(column)) left.push(`column ${table.name}.${column}`);
    return { ...table, columns };
  });
  return {
    content: {
      ...content,
      tables,
      sequences: keep('sequence', content.sequences, here.sequences),
      materializedViews: keep('materialized view', content.materializedViews, here.materializedViews),
    },
    left,
  };
}

const TAB = 9;
const LINE_FEED = 10;

/**
 * COPY data of a table, with some of its columns. In text format a tab or a line feed within a value is escaped:
 * https://www.postgresql.org/docs/current/sql-copy.html
 * @param rows of all columns of `from`
 */
export function pickColumns(rows: Readable, from: ContentTable, to: ContentTable): Readable {
  const kept = from.columns.map((column) => to.columns.includes(column));
  if (kept.every(Boolean)) return rows;
  return Readable.from(pick(rows, kept), { objectMode: false });
}

async function* pick(rows: AsyncIterable<Buffer>, kept: readonly boolean[]): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of rows) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = data.indexOf(LINE_FEED); end !== -1; end = data.indexOf(LINE_FEED, start)) {
      lines.push(pickFields(data.subarray(start, end), kept));
      start = end + 1;
    }
    rest = data.subarray(start);
    if (lines.length > 0) yield Buffer.concat(lines);
  }
}

function pickFields(line: Buffer, kept: readonly boolean[]): Buffer {
  const fields: Buffer[] = [];
  let start = 0;
  for (const isKept of kept) {
    const tab = line.indexOf(TAB, start);
    const end = tab === -1 ? line.length : tab;
    if (isKept) fields.push(...(fields.length > 0 ? [Buffer.of(TAB)] : []), line.subarray(start, end));
    start = end + 1;
  }
  return Buffer.concat([...fields, Buffer.of(LINE_FEED)]);
}
