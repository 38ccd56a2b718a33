import { parse, walk, type Node } from '../../db/parser.ts';
import { messageOf, TenantctlError } from '../../errors.ts';
import { shellWord } from '../../wording.ts';

const QUERY_HINT =
  'Give one statement that only reads: SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN. To write: tenantctl exec --write, which takes several, too.';

/** Constructs that a READ ONLY transaction would refuse in every tenant. */
const WRITES: Readonly<Record<string, string>> = {
  InsertStmt: 'INSERT',
  UpdateStmt: 'UPDATE',
  DeleteStmt: 'DELETE',
  MergeStmt: 'MERGE',
};

/**
 * Parses a single SELECT, VALUES, TABLE, WITH or SHOW, or EXPLAIN of one of these, without parameters.
 * @returns the query without surrounding text
 * @throws TenantctlError USAGE
 */
export async function parseQuery(text: string): Promise<string> {
  if (text.trim() === '') throw refused('The SQL is empty.');
  const parsed = await parse(text).catch((error: unknown) => {
    throw unparsed(text, error, QUERY_HINT);
  });
  const [first, ...others] = parsed.stmts ?? [];
  if (first === undefined) throw refused('The SQL is empty.');
  if (others.length > 0) throw refused(`The SQL has ${others.length + 1} statements.`);
  const problem = problemOf(first.stmt as Node);
  if (problem !== undefined) throw refused(`The SQL ${problem}.`);
  // The parser counts UTF-8 bytes.
  const start = first.stmt_location ?? 0;
  const end = first.stmt_len ? start + first.stmt_len : undefined;
  return Buffer.from(text, 'utf8').subarray(start, end).toString('utf8').trim();
}

/** Undefined if it is a query. */
function problemOf(statement: Node): string | undefined {
  const [kind, body] = Object.entries(statement)[0] ?? [];
  if (kind === 'ExplainStmt') return problemOf((body as { readonly query: Node }).query);
  if (kind !== 'SelectStmt' && kind !== 'VariableShowStmt') return 'is not a query';
  let problem: string | undefined;
  walk(statement, (name, node) => {
    if (WRITES[name] !== undefined) problem ??= `contains ${WRITES[name]}`;
    if (node.intoClause !== undefined) problem ??= 'creates a table: SELECT INTO';
    if (node.lockingClause !== undefined) problem ??= 'locks rows: FOR UPDATE or FOR SHARE';
    if (name === 'ParamRef') problem ??= 'has a parameter: $1 and the like have no value here';
  });
  return problem;
}

/** The error for a text that does not parse. The name of a file in the place of the SQL has a hint of its own. */
export function unparsed(sql: string, cause: unknown, hint: string): TenantctlError {
  const isFile = /^\S+\.sql$/.test(sql.trim());
  return new TenantctlError('USAGE', `The SQL does not parse: ${messageOf(cause)}`, {
    hint: isFile ? `To read a file: --file ${shellWord(sql.trim())}` : hint,
  });
}

function refused(message: string): TenantctlError {
  return new TenantctlError('USAGE', message, { hint: QUERY_HINT });
}
