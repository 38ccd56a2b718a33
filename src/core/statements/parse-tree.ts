/** A node of the parse tree: an object with one key, its kind, with the fields of libpg-query's protobuf. */
export type Node = Readonly<Record<string, unknown>>;

/** The strings of a list of names. */
export function stringsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: Node) => {
    const value = (item.String as { readonly sval?: string } | undefined)?.sval;
    return value === undefined ? [] : [value];
  });
}

/** Calls `visit` for each node of a tree, with its kind and its fields. */
export function walk(tree: unknown, visit: (kind: string, node: Node) => void, kind = ''): void {
  if (Array.isArray(tree)) {
    for (const item of tree) walk(item, visit, kind);
    return;
  }
  if (typeof tree !== 'object' || tree === null) return;
  visit(kind, tree as Node);
  for (const [name, below] of Object.entries(tree)) walk(below, visit, name);
}

/** Objects on a table, which are dropped by table and name. */
export const ON_TABLE = new Set(['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY']);

/** Kinds of objects in DROP that are relations, or are on one. */
export const RELATION_DROPS = new Set([
  'OBJECT_TABLE',
  'OBJECT_INDEX',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
  ...ON_TABLE,
]);

/** Statements that lock the relations that they act on. */
export const ON_RELATIONS = [
  'CreateStmt',
  'CreateTableAsStmt',
  'AlterTableStmt',
  'IndexStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'ViewStmt',
  'CreateTrigStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'CompositeTypeStmt',
  'RefreshMatViewStmt',
  'LockStmt',
  'RuleStmt',
] as const;

/** Statements that concern nothing but the session. */
export const OF_SESSION = [
  'ConstraintsSetStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'NotifyStmt',
  'ListenStmt',
  'UnlistenStmt',
] as const;
