import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import { scan } from '../../db/parser.ts';

export interface SqlMigration {
  readonly up: string;
  readonly down: string | undefined;
  /** The lines of the file, from 1, in which `up` and `down` begin. */
  readonly lines?: Readonly<Record<'up' | 'down', number>>;
  /** False: the migration runs alone, outside any transaction. */
  readonly upInTransaction: boolean;
  readonly downInTransaction: boolean;
  /** What a tenant migration declares to reach outside its schema: qualified names, or `schema.*`. */
  readonly allowOutside: readonly string[];
  /** Outside a transaction, statements may be sent that the parser cannot read. */
  readonly allowUnparsed: boolean;
}

/** What code and SQL are that run in the tenant's transaction and are never undone: scripts, seeds, hooks, given SQL. */
export const NEVER_UNDONE = {
  down: undefined,
  upInTransaction: true,
  downInTransaction: true,
  allowOutside: [],
  allowUnparsed: false,
} as const satisfies Partial<SqlMigration>;

interface Section {
  readonly inTransaction: boolean;
  readonly allowOutside: readonly string[];
  readonly allowUnparsed: boolean;
  readonly lines: string[];
  /** The line of the file, from 1, after the marker. */
  readonly firstLine: number;
}

const MARKER = /^[ \t]*--[ \t]*migrate:(up|down)\b(.*?)\r?$/i;

/** Whether a line of the text is a marker: without one, it is no migration. */
export function hasMarker(text: string): boolean {
  return text.split('\n').some((line) => MARKER.test(line));
}

/**
 * Parses an .sql migration (https://github.com/amacneil/dbmate#migration-options): `-- migrate:up` and
 * `-- migrate:down`, with the options `transaction:false`, `allow-unparsed` and
 * `allow-outside:public.countries,...`. Within a string, a function's body or a block comment such a line is plain text.
 * @throws TenantctlError MIGRATION_INVALID
 */
export async function parseSqlMigration(text: string, fileName: string): Promise<SqlMigration> {
  const sections: Partial<Record<'up' | 'down', Section>> = {};
  let current: Section | undefined;
  const within = await linesWithin(text, fileName);
  for (const [index, line] of text.split('\n').entries()) {
    const refused = (reason: string, hint = FORM) =>
      invalid(fileName, reason, hint, { at: `${fileName}:${index + 1}` });
    const marker = within.has(index) ? null : MARKER.exec(line);
    if (marker === null) {
      if (current === undefined && !/^\s*(?:--|$)/.test(line))
        throw refused('it has SQL before its "-- migrate:up" line');
      current?.lines.push(line);
      continue;
    }
    const kind = marker[1]?.toLowerCase() === 'up' ? 'up' : 'down';
    if (sections[kind] !== undefined) throw refused(`it has two "-- migrate:${kind}" lines`);
    current = { ...readOptions(marker[2] ?? '', refused), lines: [], firstLine: index + 2 };
    sections[kind] = current;
  }
  if (sections.up === undefined) throw invalid(fileName, 'it has no "-- migrate:up" line', NO_MARKER);
  return {
    up: sections.up.lines.join('\n').trim(),
    down: sections.down?.lines.join('\n').trim(),
    lines: { up: beginOf(sections.up), down: beginOf(sections.down) },
    upInTransaction: sections.up.inTransaction,
    downInTransaction: sections.down?.inTransaction ?? true,
    allowOutside: [...sections.up.allowOutside, ...(sections.down?.allowOutside ?? [])],
    allowUnparsed: sections.up.allowUnparsed || sections.down?.allowUnparsed === true,
  };
}

/** Where a section's text begins without the empty lines before it. */
function beginOf(section: Section | undefined): number {
  if (section === undefined) return 1;
  return (
    section.firstLine +
    Math.max(
      0,
      section.lines.findIndex((line) => line.trim() !== ''),
    )
  );
}

/** The lines, counted from 0, that begin within a string, a quoted name or a block comment. */
async function linesWithin(text: string, fileName: string): Promise<ReadonlySet<number>> {
  const within = new Set<number>();
  // Without these nothing spans several lines, and the lexer need not be loaded.
  if (!/['"$]|\/\*/.test(text)) return within;
  const tokens = await scan(text).catch((cause: unknown) => {
    throw invalid(fileName, 'it has a string, a quoted name or a comment that is not ended', FORM, { cause });
  });
  const bytes = Buffer.from(text);
  let line = 0;
  let next = bytes.indexOf('\n');
  for (const { start, end } of tokens) {
    for (; next !== -1 && next < end - 1; next = bytes.indexOf('\n', next + 1)) {
      line += 1;
      if (next >= start) within.add(line);
    }
  }
  return within;
}

function readOptions(
  options: string,
  refused: (reason: string, hint: string) => TenantctlError,
): Omit<Section, 'lines' | 'firstLine'> {
  let inTransaction = true;
  let allowUnparsed = false;
  const allowOutside: string[] = [];
  for (const option of parts(options, ' ')) {
    const [, name = '', value = ''] = /^([a-z-]+):(.+)$/i.exec(option) ?? [];
    if (option.toLowerCase() === 'allow-unparsed') allowUnparsed = true;
    else if (name.toLowerCase() === 'transaction' && /^(?:true|false)$/i.test(value)) {
      inTransaction = value.toLowerCase() === 'true';
    } else if (name.toLowerCase() === 'allow-outside') {
      allowOutside.push(...parts(value, ',').map(unquoted));
    } else throw refused(`it has an unknown option: "${option}"`, OPTIONS);
  }
  return { inTransaction, allowOutside, allowUnparsed };
}

/** The parts of a text between separators that are not in single quotes. */
function parts(text: string, separator: ' ' | ','): string[] {
  return text.match(separator === ' ' ? /(?:[^\s']|'(?:[^']|'')*')+/g : /(?:[^,']|'(?:[^']|'')*')+/g) ?? [];
}

/** A name with spaces, commas or quotes stands in single quotes, which are doubled within. */
function unquoted(name: string): string {
  return /^'[^]*'$/.test(name) ? name.slice(1, -1).replaceAll("''", "'") : name;
}

const FORM =
  'A .sql migration has a line "-- migrate:up" before its SQL, and "-- migrate:down" before the SQL that undoes it.';
const NO_MARKER = `${FORM} One that a .js or .ts migration reads belongs in a folder of its own, or its name begins with that migration's: 1_users.js, 1_users.data.sql.`;
const OPTIONS =
  'After "-- migrate:up" and "-- migrate:down" may stand transaction:false, allow-unparsed (for SQL that only the server can read), and allow-outside:public.countries,... with what the migration reaches outside its tenant\'s schema.';

function invalid(migration: string, reason: string, hint = FORM, details: ErrorDetails = {}) {
  const message = `${migration} is not a valid .sql migration: ${reason}.`;
  return new TenantctlError('MIGRATION_INVALID', message, { migration, hint, ...details });
}
