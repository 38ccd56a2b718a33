import { parse } from '../../db/parser.ts';
import { cutByTokens, type LoneStatement } from '../../db/unreadable.ts';
import { messageOf, TenantctlError, type ErrorDetails } from '../../errors.ts';
import { configForm } from './config-form.ts';
import type { Direction, Migration } from './load.ts';

export interface ParsedStatement {
  /** As in the text, without its semicolon. */
  readonly text: string;
  /** Where it begins in the text, in UTF-16 units. */
  readonly offset: number;
  /** The parser's name: "SelectStmt", "InsertStmt", ... */
  readonly kind: string;
}

/** The statements of an SQL text. @throws the parser's error if the text does not parse */
export async function parseSql(text: string): Promise<ParsedStatement[]> {
  const parsed = await parse(text);
  const bytes = Buffer.from(text, 'utf8');
  let [at, offset] = [0, 0];
  return (parsed.stmts ?? []).map((statement) => {
    // The parser counts bytes of UTF-8.
    const start = statement.stmt_location ?? 0;
    const end = statement.stmt_len ? start + statement.stmt_len : bytes.length;
    offset += bytes.subarray(at, start).toString('utf8').length;
    at = start;
    const whole = bytes.subarray(start, end).toString('utf8');
    return {
      text: whole.trim(),
      offset: offset + whole.length - whole.trimStart().length,
      kind: Object.keys(statement.stmt ?? {})[0] ?? '',
    };
  });
}

/** An SQL text without the comments before its first word; empty if it has none. Pure. */
export function fromFirstWord(text: string): string {
  return text.replace(/^(?:[\s;]+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/, '');
}

/**
 * Statements to be sent one by one. With `allowUnparsed` those that the parser cannot read have a `problem`.
 * @throws TenantctlError MIGRATION_INVALID if the text does not parse
 */
export async function splitStatements(
  text: string,
  migration: Pick<Migration, 'file' | 'text' | 'lines' | 'allowUnparsed'>,
  direction: Direction,
): Promise<readonly Pick<LoneStatement, 'text' | 'offset' | 'problem'>[]> {
  return parseSql(text).catch((error: unknown) => {
    if (migration.allowUnparsed) return cutByTokens(text);
    const { cursorPosition = 0 } = (error as { sqlDetails?: { cursorPosition?: number } }).sqlDetails ?? {};
    const line = (migration.lines?.[direction] ?? 1) + text.slice(0, cursorPosition).split('\n').length - 1;
    throw unparsed(migration, direction, messageOf(error), { at: `${migration.file.name}:${line}` });
  });
}

/** A migration outside a transaction has a statement that the parser cannot read; it was not sent. */
export function unparsed(
  migration: Pick<Migration, 'file' | 'text'>,
  direction: Direction,
  problem: string,
  details: ErrorDetails,
): TenantctlError {
  const { name } = migration.file;
  const allow = configForm(migration, direction, { inTransaction: false, allowUnparsed: true });
  return new TenantctlError(
    'MIGRATION_INVALID',
    `${name} cannot be read as statements of PostgreSQL 18: ${problem}`,
    {
      migration: name,
      hint: `Outside a transaction, each statement is read before it is sent. Correct the SQL. Where this server accepts it, quote the word, if it is a name ("..."), or let the migration say that its statements are sent unread: ${allow}`,
      ...details,
    },
  );
}
