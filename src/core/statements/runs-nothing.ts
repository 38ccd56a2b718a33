import { stringsOf, type Node } from '../../db/parser.ts';
import { WITHOUT_ROWS } from './node-kinds.ts';

/**
 * Types of PostgreSQL whose names the parser leaves as they are written. pg_catalog is searched first, so a
 * type of the tenant cannot hide them.
 */
const OWN_TYPE = /^(?:text|uuid|jsonb?|bytea|date|timestamptz|timetz|inet|cidr|tsvector|tsquery|money|name)$/;

function isOfPostgres(typeName: unknown): boolean {
  const names = stringsOf((typeName as Node | undefined)?.names);
  return names[0] === 'pg_catalog' || (names.length === 1 && OWN_TYPE.test(names[0] ?? ''));
}

/** Functions without arguments whose value does not change within a statement: no table is rewritten. */
const OF_TRANSACTION = /^(?:now|transaction_timestamp|statement_timestamp)$/;

function isConstant(expression: unknown): boolean {
  const [kind, node] = Object.entries(expression as Readonly<Record<string, Node>>)[0] ?? ['', {}];
  switch (kind) {
    case 'A_Const':
    case 'SQLValueFunction':
      return true;
    case 'TypeCast':
      return isOfPostgres(node.typeName) && isConstant(node.arg);
    case 'A_ArrayExpr':
      return ((node.elements ?? []) as readonly unknown[]).every(isConstant);
    case 'FuncCall':
      return node.args === undefined && OF_TRANSACTION.test(stringsOf(node.funcname).join('.'));
    default:
      return false;
  }
}

/** Indexes and foreign keys compare columns; NOT NULL only looks. A CHECK or an identity computes. */
const COMPARES = /^CONSTR_(?:NULL|NOTNULL|PRIMARY|UNIQUE|FOREIGN|ATTR_\w+)$/;

function comparesOnly({ Constraint: constraint }: Node): boolean {
  const { contype, raw_expr: expression } = constraint as Node;
  return COMPARES.test(String(contype)) || (contype === 'CONSTR_DEFAULT' && isConstant(expression));
}

/** Subcommands of ALTER TABLE that neither look at rows nor rewrite the table. */
const OF_CATALOG =
  /^AT_(?:DropColumn|ColumnDefault|DropNotNull|SetNotNull|SetStatistics|SetOptions|ResetOptions|SetStorage|SetCompression|AlterConstraint|DropConstraint|ClusterOn|DropCluster|SetRelOptions|ResetRelOptions|EnableTrig\w*|DisableTrig\w*|EnableAlwaysTrig|EnableReplicaTrig|\w+Rule|\w+RowSecurity|ReplicaIdentity|DropIdentity|DropExpression|DetachPartition|AddInherit|DropInherit)$/;

function isOfCatalog({ AlterTableCmd: command }: Node): boolean {
  const { subtype, def } = command as { subtype?: string; def?: Node };
  switch (subtype) {
    case 'AT_AddColumn': {
      const { typeName, constraints = [] } = (def?.ColumnDef ?? {}) as Node;
      return isOfPostgres(typeName) && (constraints as readonly Node[]).every(comparesOnly);
    }
    case 'AT_AddConstraint':
      return def !== undefined && comparesOnly(def);
    default:
      return OF_CATALOG.test(String(subtype));
  }
}

/** Statements that only some of which run anything: an expression over rows, or over a constant of a domain. */
const MAY_RUN: ReadonlyMap<string, (body: Node) => boolean> = new Map([
  ['CreateStmt', ({ partbound }) => partbound === undefined],
  ['AlterTableStmt', ({ cmds }) => (cmds as readonly Node[]).every(isOfCatalog)],
  [
    'IndexStmt',
    ({ indexParams, whereClause }) =>
      whereClause === undefined &&
      (indexParams as readonly { IndexElem: Node }[]).every(
        ({ IndexElem: element }) => element.expr === undefined && element.opclass === undefined,
      ),
  ],
]);

/** Statements that change the catalog or the session, and look at no row. */
const RUN_NOTHING = new Set<string>([
  ...WITHOUT_ROWS,
  'ClosePortalStmt',
  'NotifyStmt',
  'ListenStmt',
  'UnlistenStmt',
]);

/**
 * Whether a statement on relations, or on the session, calls no function that somebody wrote: neither in its text
 * nor by a view, a domain or a trigger. What it calls all the same is known to the server (`hasHiddenCalls`): event
 * triggers, and the operators and casts of indexes and foreign keys.
 */
export function runsNothing(kind: string, body: Node): boolean {
  return RUN_NOTHING.has(kind) || MAY_RUN.get(kind)?.(body) === true;
}
