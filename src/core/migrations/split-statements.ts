import { TenantctlError } from '../../errors.ts';

/**
 * The statements of an SQL text, each on its own, cut by PostgreSQL's own parser.
 * @throws TenantctlError MIGRATION_INVALID where the text does not parse
 */
export async function splitStatements(text: string, fileName: string): Promise<string[]> {
  const { parse } = await import('libpg-query');
  const bytes = Buffer.from(text, 'utf8');
  const parsed = await parse(text).catch((error: unknown) => {
    throw new TenantctlError(
      'MIGRATION_INVALID',
      `${fileName} cannot be cut into statements: ${error instanceof Error ? error.message : String(error)}`,
      {
        migration: fileName,
        hint: 'With transaction:false each statement is sent on its own; correct the SQL.',
      },
    );
  });
  return (parsed.stmts ?? []).map((statement) => {
    // The parser counts bytes of UTF-8 (https://github.com/pganalyze/libpg_query).
    const start = statement.stmt_location ?? 0;
    const end = statement.stmt_len ? start + statement.stmt_len : bytes.length;
    return bytes.subarray(start, end).toString('utf8').trim();
  });
}
