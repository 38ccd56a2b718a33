import { parse } from '../../db/parser.ts';
import { messageOf, TenantctlError } from '../../errors.ts';

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
 * Statements to be sent one by one.
 * @param firstLine the line of the file in which the text begins
 * @throws TenantctlError MIGRATION_INVALID if the text does not parse
 */
export async function splitStatements(
  text: string,
  migration: string,
  firstLine = 1,
): Promise<ParsedStatement[]> {
  return parseSql(text).catch((error: unknown) => {
    const message = `${migration} cannot be split into statements: ${messageOf(error)}`;
    const hint = 'With transaction:false each statement is sent on its own; correct the SQL.';
    const { cursorPosition = 0 } = (error as { sqlDetails?: { cursorPosition?: number } }).sqlDetails ?? {};
    const at = `${migration}:${firstLine + text.slice(0, cursorPosition).split('\n').length - 1}`;
    throw new TenantctlError('MIGRATION_INVALID', message, { migration, at, hint });
  });
}
