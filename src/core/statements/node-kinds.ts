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

/** Statements that lock the relations that they act on, and look at no row. */
export const WITHOUT_ROWS = [
  'CreateSeqStmt',
  'AlterSeqStmt',
  'ViewStmt',
  'CreateTrigStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'CompositeTypeStmt',
  'LockStmt',
  'RuleStmt',
] as const;

/** Statements that lock the relations that they act on. */
export const ON_RELATIONS = [
  ...WITHOUT_ROWS,
  'CreateStmt',
  'CreateTableAsStmt',
  'AlterTableStmt',
  'IndexStmt',
  'RefreshMatViewStmt',
] as const;

/** Statements that affect only the session. */
export const OF_SESSION = [
  'ConstraintsSetStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'NotifyStmt',
  'ListenStmt',
  'UnlistenStmt',
] as const;

/** Statements that reach no other schema by name, or whose target is not in the text. */
export const AIMLESS = new Set<string>([
  ...OF_SESSION,
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
  'DiscardStmt',
  'CheckPointStmt',
  'PrepareStmt',
  'ExecuteStmt',
  'DeallocateStmt',
  'LoadStmt',
]);
