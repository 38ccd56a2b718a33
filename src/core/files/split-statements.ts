import { messageOf, TenantctlError } from '../../errors.ts';
import { parseSql } from './parse-sql.ts';

/**
 * The statements of an SQL text, each on its own, cut by PostgreSQL's own parser.
 * @throws TenantctlError MIGRATION_INVALID where the text does not parse
 */
export async function splitStatements(text: string, fileName: string): Promise<string[]> {
  const statements = await parseSql(text).catch((error: unknown) => {
    throw new TenantctlError(
      'MIGRATION_INVALID',
      `${fileName} cannot be cut into statements: ${messageOf(error)}`,
      {
        migration: fileName,
        hint: 'With transaction:false each statement is sent on its own; correct the SQL.',
      },
    );
  });
  return statements.map((statement) => statement.text);
}
