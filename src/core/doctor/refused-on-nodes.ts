import { parse, stringsOf, walk, type Node } from '../../db/parser.ts';
import { sqlOfCode } from '../code/sql-of-code.ts';
import { parseSql } from '../files/parse-sql.ts';

/** A statement of a migration that a node will not take. */
export interface RefusedStatement {
  /** The migration's file. */
  readonly file: string;
  /** Its beginning, on one line. */
  readonly statement: string;
  readonly reason: string;
}

const MAKES_TABLE = /\bCREATE\s+(?:UNLOGGED\s+)?TABLE\b/i;

const BEGINNING = 60;

/**
 * The statements of SQL that Citus refuses for tables on nodes: docs/citus.md, "What migrations cannot do". Pure.
 * @param local tables of public that are on the coordinator alone
 */
export async function refusedOnNodes(
  file: string,
  sql: string,
  local: ReadonlySet<string>,
): Promise<RefusedStatement[]> {
  const found: RefusedStatement[] = [];
  for (const { text } of await parseSql(sql)) found.push(...named(file, text, await reasonsOf(text, local)));
  return found;
}

/**
 * The same of a migration in JavaScript or TypeScript, as far as it can be read: literal SQL, and columns that are added
 * to a table. What is no SQL is left out. Pure.
 * @throws SyntaxError if it cannot be read at all
 */
export async function refusedInCode(
  file: string,
  code: string,
  isTypeScript: boolean,
  local: ReadonlySet<string>,
): Promise<RefusedStatement[]> {
  const found: RefusedStatement[] = [];
  const { texts, columns } = await sqlOfCode(code, isTypeScript);
  for (const text of texts) {
    const statements = await parseSql(text).catch(() => []);
    for (const statement of statements) {
      const reasons = await reasonsOf(statement.text, local);
      if (statements.length > 1 && (await goesAlone(statement.text)))
        reasons.push('beside others in one text');
      found.push(...named(file, statement.text, reasons));
    }
  }
  for (const method of new Set(columns)) {
    const reason = REFUSED_COLUMNS[method];
    if (reason !== undefined) found.push({ file, statement: `alterTable() with ${method}()`, reason });
  }
  return found;
}

/** By method of Knex: `checkPositive` and the like add a CHECK with the column. */
const REFUSED_COLUMNS: Readonly<Record<string, string>> = {
  increments: 'ADD COLUMN with a serial type',
  bigIncrements: 'ADD COLUMN with a serial type',
  smallIncrements: 'ADD COLUMN with a serial type',
  enu: 'ADD COLUMN with CHECK, unless it is a native enum',
  enum: 'ADD COLUMN with CHECK, unless it is a native enum',
};

function named(file: string, text: string, reasons: readonly string[]): RefusedStatement[] {
  const line = text.replaceAll(/\s+/g, ' ');
  const statement = line.length > BEGINNING ? `${line.slice(0, BEGINNING)}...` : line;
  return reasons.map((reason) => ({ file, statement, reason }));
}

async function reasonsOf(text: string, local: ReadonlySet<string>): Promise<string[]> {
  const reasons = new Set<string>();
  for (const { stmt } of (await parse(text)).stmts ?? [])
    walk(stmt, (kind, node) => {
      for (const reason of reasonsFor(kind, node, local)) reasons.add(reason);
    });
  return [...reasons];
}

const TAKEN_TOGETHER = new Set(['AT_AddColumn', 'AT_DropConstraint']);

/** Citus hands the whole text on to the nodes, which prepare it (42601): tried with 13.2.2. */
async function goesAlone(text: string): Promise<boolean> {
  let isAlone = false;
  for (const { stmt } of (await parse(text)).stmts ?? [])
    walk(stmt, (kind, node) => {
      isAlone ||= kind === 'IndexStmt' || kind === 'RenameStmt';
      isAlone ||= kind === 'AlterTableCmd' && !TAKEN_TOGETHER.has(String(node.subtype));
    });
  return isAlone;
}

function reasonsFor(kind: string, node: Node, local: ReadonlySet<string>): string[] {
  switch (kind) {
    case 'CreateTrigStmt':
      return ['tables on nodes have no triggers'];
    case 'DoStmt':
    case 'CreateFunctionStmt':
      return MAKES_TABLE.test(bodyOf(node))
        ? ['a table that a block or a function creates stays on the coordinator']
        : [];
    case 'RenameStmt':
      return node.renameType === 'OBJECT_TABCONSTRAINT' ? ['RENAME CONSTRAINT'] : [];
    case 'AlterSeqStmt':
      return ['ALTER SEQUENCE'];
    case 'AlterTableStmt':
      return partsOf(node);
    case 'Constraint':
      return foreignKey(node, local);
    default:
      return [];
  }
}

/** The body of a DO block or a function. */
function bodyOf({ args, options }: Node): string {
  const bodies: string[] = [];
  walk(args ?? options, (kind, node) => {
    if (kind === 'DefElem' && node.defname === 'as')
      walk(node.arg, (of, { sval }) => of === 'String' && bodies.push(String(sval)));
  });
  return bodies.join('\n');
}

function partsOf({ cmds }: Node): string[] {
  const parts = (cmds as readonly { readonly AlterTableCmd: Node }[]).map(({ AlterTableCmd: part }) => part);
  return parts.flatMap((part) => {
    if (part.subtype === 'AT_DropExpression') return ['DROP EXPRESSION'];
    if (part.subtype === 'AT_AddConstraint')
      return parts.length > 1 ? ['ADD CONSTRAINT beside other parts'] : [];
    return part.subtype === 'AT_AddColumn'
      ? columnReasons((part.def as { readonly ColumnDef: Node }).ColumnDef)
      : [];
  });
}

function columnReasons({ typeName, constraints }: Node): string[] {
  const [type = ''] = stringsOf((typeName as Node | undefined)?.names).slice(-1);
  const kinds = ((constraints ?? []) as readonly { readonly Constraint?: Node }[]).map(
    (each) => each.Constraint?.contype,
  );
  return [
    ...(/^(?:small|big)?serial[248]?$/.test(type) ? ['ADD COLUMN with a serial type'] : []),
    ...(kinds.includes('CONSTR_IDENTITY') ? ['ADD COLUMN with GENERATED ... AS IDENTITY'] : []),
    ...(kinds.includes('CONSTR_CHECK') ? ['ADD COLUMN with CHECK'] : []),
  ];
}

function foreignKey({ contype, pktable }: Node, local: ReadonlySet<string>): string[] {
  const { schemaname, relname } = (pktable ?? {}) as {
    readonly schemaname?: string;
    readonly relname?: string;
  };
  if (contype !== 'CONSTR_FOREIGN' || schemaname !== 'public' || !local.has(relname ?? '')) return [];
  return [`a foreign key to public.${relname}, which is no reference table`];
}
