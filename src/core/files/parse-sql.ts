import { parse } from '../../db/parser.ts';
import { messageOf, TenantctlError } from '../../errors.ts';

export interface ParsedStatement {
  /** As in the text, without its semicolon. */
  readonly text: string;
  /** The parser's name: "SelectStmt", "InsertStmt", ... */
  readonly kind: string;
}

/** The statements of an SQL text. @throws the parser's error if the text does not parse */
export async function parseSql(text: string): Promise<ParsedStatement[]> {
  const parsed = await parse(text);
  const bytes = Buffer.from(text, 'utf8');
  return (parsed.stmts ?? []).map((statement) => {
    // The parser counts bytes of UTF-8.
    const start = statement.stmt_location ?? 0;
    const end = statement.stmt_len ? start + statement.stmt_len : bytes.length;
    return {
      text: bytes.subarray(start, end).toString('utf8').trim(),
      kind: Object.keys(statement.stmt ?? {})[0] ?? '',
    };
  });
}

/** An SQL text without the comments before its first word; empty if it has none. Pure. */
export function fromFirstWord(text: string): string {
  return text.replace(/^(?:[\s;]+|--[^\n]*(?:\n|$)|\/\*[^]*?\*\/)+/, '');
}

/** Statements to be sent one by one. @throws TenantctlError MIGRATION_INVALID if the text does not parse */
export async function splitStatements(text: string, migration: string): Promise<string[]> {
  const statements = await parseSql(text).catch((error: unknown) => {
    const message = `${migration} cannot be split into statements: ${messageOf(error)}`;
    const hint = 'With transaction:false each statement is sent on its own; correct the SQL.';
    throw new TenantctlError('MIGRATION_INVALID', message, { migration, hint });
  });
  return statements.map((statement) => statement.text);
}
