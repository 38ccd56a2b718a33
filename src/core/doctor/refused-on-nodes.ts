import { parse, stringsOf, walk, type Node } from '../../db/parser.ts';
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
  for (const { text } of await parseSql(sql)) {
    const reasons = new Set<string>();
    for (const { stmt } of (await parse(text)).stmts ?? [])
      walk(stmt, (kind, node) => {
        for (const reason of reasonsFor(kind, node, local)) reasons.add(reason);
      });
    const line = text.replaceAll(/\s+/g, ' ');
    const statement = line.length > BEGINNING ? `${line.slice(0, BEGINNING)}...` : line;
    found.push(...[...reasons].map((reason) => ({ file, statement, reason })));
  }
  return found;
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
