import { isMadeInFirst } from './obscurity.ts';
import { OF_SESSION, ON_RELATIONS, ON_TABLE, RELATION_DROPS, stringsOf, type Node } from './parse-tree.ts';

/** A relation or a type, by its name as it stands in the text. */
export interface Target {
  readonly kind: 'relation' | 'type';
  readonly schema: string | undefined;
  readonly name: string;
  /** It is made by the statement: without a schema, in the first of the search_path. */
  readonly isNew: boolean;
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

/** Statements whose targets can be found by their names. */
const AIMED = new Set([
  ...ON_RELATIONS,
  'ReindexStmt',
  'VacuumStmt',
  'ClusterStmt',
  'AlterObjectSchemaStmt',
  'AlterEnumStmt',
  'TruncateStmt',
  'CreateStatsStmt',
  'GrantStmt',
  'CommentStmt',
  'RenameStmt',
  'DropStmt',
]);

/** Statements that lead nowhere else, or whose ways are not seen. */
const AIMLESS = new Set([
  ...ROWS_ONLY,
  ...OF_SESSION,
  'DiscardStmt',
  'CheckPointStmt',
  'PrepareStmt',
  'ExecuteStmt',
  'DeallocateStmt',
  'LoadStmt',
  'CreateExtensionStmt',
]);

/** What a statement does of which it is not known, or known all too well, that it is outside every tenant's schema. */
export function globalDeed(kind: string, body: Node): string[] {
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

/** What a statement is aimed at, by the names that it uses; nothing where it leads nowhere else. */
export function targetsOf(kind: string, body: Node): Target[] {
  if (AIMLESS.has(kind)) return [];
  const isNewKind = kind.startsWith('Create') || kind === 'ViewStmt' || kind === 'CompositeTypeStmt';
  const targets: Target[] = [];
  const add = (target: Target | undefined) => {
    if (target !== undefined) targets.push(target);
  };
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
  if (kind === 'DropStmt')
    for (const object of (body.objects ?? []) as readonly Node[]) add(relationOf(body.removeType, object));
  if (kind === 'CommentStmt') add(relationOf(body.objtype, body.object as Node | undefined));
  // Where it is put is as good as where it is made.
  if (typeof body.newschema === 'string')
    targets.push({ kind: 'relation', schema: body.newschema, name: '*', isNew: true });
  if (kind === 'AlterEnumStmt') add(named('type', stringsOf(body.typeName)));
  return targets;
}

/** The relation that is dropped or commented, or on which what is so stands; its name is a list of names. */
function relationOf(objectType: unknown, object: Node | undefined): Target | undefined {
  const type = String(objectType);
  if (!RELATION_DROPS.has(type) && !BEHIND_TABLE.has(type)) return undefined;
  const names = stringsOf((object?.List as Node | undefined)?.items);
  return named('relation', BEHIND_TABLE.has(type) ? names.slice(0, -1) : names);
}

/** What has its name behind that of its table. */
const BEHIND_TABLE = new Set([...ON_TABLE, 'OBJECT_COLUMN', 'OBJECT_TABCONSTRAINT']);

/** What a list of names leads to that is there already. */
function named(kind: Target['kind'], names: readonly string[]): Target | undefined {
  const name = names.at(-1);
  return name === undefined ? undefined : { kind, schema: names.at(-2), name, isNew: false };
}
