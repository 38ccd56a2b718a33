import { parse } from '../../db/parser.ts';
import { compareNames } from '../migrations/source.ts';
import { isMadeInFirst, mayGrantIn, obscureCall, obscurityOf } from './obscurity.ts';
import { ON_TABLE, RELATION_DROPS, stringsOf, type Node } from './parse-tree.ts';

/** What an SQL text says of where it reaches, read with PostgreSQL's own parser. */
export interface Reading {
  /** Schemas that it names, before a name or in search_path. */
  readonly schemas: readonly string[];
  /** What it creates, changes or drops that is there already or shall be, as it names it; rows are no such thing. */
  readonly targets: readonly Target[];
  /** What it does to something that lies in no schema, in words. */
  readonly global: readonly string[];
  /** It drops something by name, or with CASCADE. */
  readonly drops: boolean;
  /** Why its locks do not tell all that it reaches; undefined where they do. */
  readonly obscurity: string | undefined;
  /** It is obscure, and somewhere in it columns may be granted: only the largest of all catalogs tells of that. */
  readonly mayGrant: boolean;
}

/** A relation or a type, by its name as it stands in the text. */
export interface Target {
  readonly kind: 'relation' | 'type';
  readonly schema: string | undefined;
  readonly name: string;
  /** It is made by the statement: without a schema, in the first of the search_path. */
  readonly isNew: boolean;
}

/** What is known of a text that could not be read. */
const UNREAD: Reading = {
  schemas: [],
  targets: [],
  global: [],
  drops: true,
  obscurity: 'it does not parse',
  mayGrant: true,
};

/** Texts that were read, for the next tenants that are sent them. */
const known = new Map<string, Promise<Reading>>();
const MOST_KNOWN = 1_000;
const LONGEST_KNOWN = 20_000;

/**
 * Reads a text of one or more statements. A text that does not parse says nothing: the server refuses it as a whole.
 */
export function readStatements(text: string): Promise<Reading> {
  const earlier = known.get(text);
  if (earlier !== undefined) return earlier;
  const reading = readAnew(text);
  if (known.size < MOST_KNOWN && text.length <= LONGEST_KNOWN) known.set(text, reading);
  return reading;
}

async function readAnew(text: string): Promise<Reading> {
  const parsed = await parse(text).catch(() => undefined);
  if (parsed === undefined) return UNREAD;
  const readings = (parsed.stmts ?? []).map(({ stmt }) => readStatement(stmt as Node));
  const obscurity = readings.find((reading) => reading.obscurity !== undefined)?.obscurity;
  return {
    schemas: [...new Set(readings.flatMap(({ schemas }) => schemas))].toSorted(compareNames),
    targets: readings.flatMap(({ targets }) => targets),
    global: readings.flatMap(({ global }) => global),
    drops: readings.some(({ drops }) => drops),
    obscurity,
    mayGrant: obscurity !== undefined && mayGrantIn(text),
  };
}

function readStatement(statement: Node): Omit<Reading, 'mayGrant'> {
  const [kind = '', body = {}] = (Object.entries(statement)[0] ?? []) as [string?, Node?];
  const schemas = new Set<string>();
  let drops = kind === 'DropStmt' || kind === 'DropOwnedStmt';
  let obscurity = obscurityOf(kind, body);
  walk(statement, (name, node) => {
    for (const schema of schemasIn(name, node)) schemas.add(schema);
    if (node.behavior === 'DROP_CASCADE') drops = true;
    if (name === 'FuncCall') obscurity ??= obscureCall(node);
  });
  return {
    schemas: [...schemas],
    targets: ROWS_ONLY.has(kind) ? [] : targetsOf(kind, body),
    global: globalDeed(kind, body),
    drops,
    obscurity,
  };
}

/** Calls `visit` for every node below, with its kind and its fields. */
function walk(tree: unknown, visit: (kind: string, node: Node) => void, kind = ''): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, visit, kind);
    return;
  }
  if (typeof tree !== 'object' || tree === null) return;
  visit(kind, tree as Node);
  for (const [name, below] of Object.entries(tree)) walk(below, visit, name);
}

/** The schemas that a node names itself: a relation's, the first of several names in a row, those of search_path. */
function* schemasIn(kind: string, node: Node): Iterable<string> {
  if (typeof node.schemaname === 'string') yield node.schemaname;
  if (typeof node.newschema === 'string') yield node.newschema;
  const isOfSchema = node.removeType === 'OBJECT_SCHEMA' || node.objtype === 'OBJECT_SCHEMA';
  if (isOfSchema || node.targtype === 'ACL_TARGET_ALL_IN_SCHEMA') yield* stringsOf(node.objects);
  if (node.kind === 'REINDEX_OBJECT_SCHEMA' && typeof node.name === 'string') yield node.name;
  if (node.renameType === 'OBJECT_SCHEMA' && typeof node.subname === 'string') yield node.subname;
  if (kind === 'VariableSetStmt' && node.name === 'search_path') {
    for (const value of (node.args ?? []) as readonly Node[]) {
      const constant = (value.A_Const as { readonly sval?: { readonly sval?: string } } | undefined)?.sval
        ?.sval;
      if (constant !== undefined) yield* constant.split(',').map((name) => name.trim().replaceAll('"', ''));
    }
  }
  for (const list of Object.values(node)) {
    const names = stringsOf(list);
    if (Array.isArray(list) && names.length === list.length && names.length > 1 && names[0] !== undefined)
      yield names[0];
  }
}

/** Statements that change rows, or nothing. */
const ROWS_ONLY = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CopyStmt',
  'VariableSetStmt',
  'VariableShowStmt',
  'TransactionStmt',
  'ConstraintsSetStmt',
  'ExplainStmt',
  'DoStmt',
  'CallStmt',
]);

/** What lies in no schema, and so outside every one. */
const GLOBAL: ReadonlyMap<string, string> = new Map([
  ['CreatedbStmt', 'creates a database'],
  ['DropdbStmt', 'drops a database'],
  ['AlterDatabaseStmt', 'changes a database'],
  ['AlterDatabaseSetStmt', 'changes settings of a database'],
  ['AlterSystemStmt', 'changes settings of the server'],
  ['CreateTableSpaceStmt', 'creates a tablespace'],
  ['DropTableSpaceStmt', 'drops a tablespace'],
  ['CreateRoleStmt', 'creates a role'],
  ['AlterRoleStmt', 'changes a role'],
  ['AlterRoleSetStmt', 'changes settings of a role'],
  ['DropRoleStmt', 'drops a role'],
  ['GrantRoleStmt', 'grants or revokes a role'],
  ['CreateSchemaStmt', 'creates a schema'],
  ['CreateSubscriptionStmt', 'creates a subscription'],
  ['AlterSubscriptionStmt', 'changes a subscription'],
  ['DropSubscriptionStmt', 'drops a subscription'],
]);

/** What is a relation, or has its name behind that of one, where it is commented. */
const COMMENTED = new Set([...RELATION_DROPS, 'OBJECT_COLUMN', 'OBJECT_TABCONSTRAINT']);

/** Statements whose targets can be found by their names. */
const AIMED = new Set([
  'IndexStmt',
  'ReindexStmt',
  'VacuumStmt',
  'ClusterStmt',
  'RefreshMatViewStmt',
  'AlterTableStmt',
  'AlterObjectSchemaStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'ViewStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'AlterEnumStmt',
  'TruncateStmt',
  'CreateTrigStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'RuleStmt',
  'CompositeTypeStmt',
  'CreateStatsStmt',
  'GrantStmt',
  'CommentStmt',
  'RenameStmt',
  'LockStmt',
  'DropStmt',
]);

/** Statements that lead nowhere else, or whose ways are not seen. */
const AIMLESS = new Set([
  ...ROWS_ONLY,
  'DiscardStmt',
  'CheckPointStmt',
  'PrepareStmt',
  'ExecuteStmt',
  'DeallocateStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'NotifyStmt',
  'ListenStmt',
  'UnlistenStmt',
  'LoadStmt',
  'CreateExtensionStmt',
]);

/** What a statement does of which it is not known, or known all too well, that it is outside every tenant's schema. */
function globalDeed(kind: string, body: Node): string[] {
  const known = GLOBAL.get(kind);
  if (known !== undefined) return [known];
  if (AIMLESS.has(kind) || isMadeInFirst(kind, body)) return [];
  if (AIMED.has(kind) && targetsOf(kind, body).length > 0) return [];
  return [`has a statement that cannot be kept to a schema (${kind.replace(/Stmt$/, '')})`];
}

/** What of a statement is only referred to, or read: a foreign key's other table, a parent, a query. */
const REFERRED = new Set([
  'pktable',
  'inhRelations',
  'query',
  'selectStmt',
  'whereClause',
  'functions',
  'TableLikeClause',
  'qual',
  'with_check',
]);

function targetsOf(kind: string, body: Node): Target[] {
  const isNewKind = kind.startsWith('Create') || kind === 'ViewStmt' || kind === 'CompositeTypeStmt';
  const targets: Target[] = [];
  const collect = (tree: unknown, field: string): void => {
    if (REFERRED.has(field)) return;
    if (Array.isArray(tree)) {
      for (const item of tree) collect(item, field);
      return;
    }
    if (typeof tree !== 'object' || tree === null) return;
    const { relname, schemaname } = tree as { relname?: unknown; schemaname?: unknown };
    if (typeof relname === 'string') {
      const schema = typeof schemaname === 'string' ? schemaname : undefined;
      // A trigger, a policy or a rule is made on a relation that is there.
      const isNew = isNewKind && field !== 'table' && kind !== 'CreateTrigStmt' && kind !== 'CreateStatsStmt';
      targets.push({ kind: 'relation', schema, name: relname, isNew });
      return;
    }
    for (const [name, below] of Object.entries(tree)) collect(below, name);
  };
  collect(body, '');
  if (kind === 'DropStmt' && RELATION_DROPS.has(String(body.removeType))) {
    for (const object of (body.objects ?? []) as readonly Node[]) {
      const names = stringsOf((object.List as Node | undefined)?.items);
      // A trigger's name stands behind its table's.
      const path = ON_TABLE.has(String(body.removeType)) ? names.slice(0, -1) : names;
      const name = path.at(-1);
      if (name !== undefined) targets.push({ kind: 'relation', schema: path.at(-2), name, isNew: false });
    }
  }
  if (kind === 'CommentStmt' && COMMENTED.has(String(body.objtype))) {
    const names = stringsOf(((body.object as Node | undefined)?.List as Node | undefined)?.items);
    // What belongs to a table has its name behind the table's.
    const path =
      RELATION_DROPS.has(String(body.objtype)) && !ON_TABLE.has(String(body.objtype))
        ? names
        : names.slice(0, -1);
    const name = path.at(-1);
    if (name !== undefined) targets.push({ kind: 'relation', schema: path.at(-2), name, isNew: false });
  }
  // Where it is put is as good as where it is made.
  if (typeof body.newschema === 'string')
    targets.push({ kind: 'relation', schema: body.newschema, name: '*', isNew: true });
  if (kind === 'AlterEnumStmt') {
    const names = stringsOf(body.typeName);
    const name = names.at(-1);
    if (name !== undefined) targets.push({ kind: 'type', schema: names.at(-2), name, isNew: false });
  }
  return targets;
}
