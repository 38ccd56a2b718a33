import type { Node } from '../../db/parser.ts';
import { extensionStatement } from './extension-statement.ts';
import { namedObjectsOf, objectsOf } from './named-objects.ts';
import { AIMLESS, ON_RELATIONS } from './node-kinds.ts';
import { isMadeInFirst } from './obscurity.ts';

/** Statements on objects that are in no schema. */
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

/** Statements whose objects can be found by their names. */
const AIMED = new Set([
  ...ON_RELATIONS,
  'ReindexStmt',
  'VacuumStmt',
  'ClusterStmt',
  'AlterObjectSchemaStmt',
  'AlterOwnerStmt',
  'AlterEnumStmt',
  'AlterDomainStmt',
  'AlterFunctionStmt',
  'AlterDefaultPrivilegesStmt',
  'CreateEnumStmt',
  'CreateDomainStmt',
  'CreateFunctionStmt',
  'CreateForeignTableStmt',
  'CreateRangeStmt',
  'DefineStmt',
  'TruncateStmt',
  'CreateStatsStmt',
  'GrantStmt',
  'CommentStmt',
  'RenameStmt',
  'DropStmt',
]);

/** What a statement does, or may do, outside every schema. */
export interface GlobalDeed {
  readonly words: string;
  /** The objects; empty if the text does not name them. */
  readonly names: readonly string[];
}

export function globalDeed(kind: string, body: Node): GlobalDeed[] {
  const known = GLOBAL.get(kind);
  if (known !== undefined) return [{ words: known, names: globalNames(body) }];
  if (kind === 'CopyStmt' && (body.is_program === true || (body.filename !== undefined && !body.is_from)))
    return [
      { words: `${body.is_program === true ? 'runs a program' : 'writes a file'} on the server`, names: [] },
    ];
  if (AIMLESS.has(kind) || isMadeInFirst(kind, body) || extensionStatement(kind, body) !== undefined)
    return [];
  if (AIMED.has(kind) && namedObjectsOf(kind, body).length > 0 && !objectsOf(kind, body).includes(undefined))
    return [];
  const words = `has a statement whose target cannot be determined from its text (${kind.replace(/Stmt$/, '')})`;
  return [{ words, names: [] }];
}

/** The databases, tablespaces, roles, schemas and subscriptions that a statement names. */
function globalNames(body: Node): string[] {
  const { role, roles = [], granted_roles: granted = [] } = body;
  const rolename = (spec: unknown) => (spec as Node | undefined)?.rolename;
  return [
    body.dbname,
    body.tablespacename,
    body.subname,
    body.schemaname,
    role,
    rolename(role),
    ...(roles as readonly Node[]).map(({ RoleSpec: spec }) => rolename(spec)),
    ...(granted as readonly Node[]).map(({ AccessPriv: priv }) => (priv as Node | undefined)?.priv_name),
  ].filter((name) => typeof name === 'string');
}
