import { stringsOf, walk, type Node } from '../../db/parser.ts';
import { madeNames } from './obscurity.ts';
import { AIMLESS, ON_TABLE, RELATION_DROPS } from './node-kinds.ts';

/** A relation, a type or a routine, by its name in the text. */
export interface NamedObject {
  readonly kind: 'relation' | 'type' | 'routine';
  readonly schema: string | undefined;
  readonly name: string;
  /** The statement creates it, or affects anything in the schema (by default the first of search_path). */
  readonly isNew: boolean;
}

/** Fields for what a statement only refers to or reads: a foreign key's other table, a query. */
const REFERRED = new Set([
  'pktable',
  'actions',
  'query',
  'selectStmt',
  'whereClause',
  'functions',
  'TableLikeClause',
  'qual',
  'with_check',
]);

/** The objects that a statement creates, changes or drops, by the names that it uses. */
export function namedObjectsOf(kind: string, body: Node): NamedObject[] {
  if (kind === 'SelectStmt') return [...intoOf(body), ...stateTablesIn(kind, body)];
  if (AIMLESS.has(kind)) return stateTablesIn(kind, body);
  const objects = objectsOf(kind, body).flatMap((object) => object ?? []);
  // SET SCHEMA: moving an object into a schema is like creating it there.
  const place = typeof body.newschema === 'string' ? [anyIn(body.newschema)] : [];
  return [...relationsIn(kind, body), ...objects, ...place];
}

/** Tables of the schema tenantctl of which a statement writes rows, also in a part of it. */
function stateTablesIn(kind: string, body: Node): NamedObject[] {
  const found: NamedObject[] = [];
  walk({ [kind]: body }, (node, { relation }) => {
    const { schemaname: schema, relname } = (relation ?? {}) as Node;
    if (schema === 'tenantctl' && /^(?:Insert|Update|Delete|Merge|Copy)Stmt$/.test(node))
      found.push({ kind: 'relation', schema, name: String(relname), isNew: false });
  });
  return found;
}

/** The statement that runs: of EXPLAIN ANALYZE and PREPARE, the one within. */
export function statementRun(kind: string, body: Node): readonly [kind: string, body: Node] {
  // The options of other kinds (DECLARE) may be a number.
  const isAnalyzing =
    kind === 'ExplainStmt' &&
    ((body.options ?? []) as readonly { DefElem?: Node }[]).some(
      ({ DefElem: option }) => option?.defname === 'analyze',
    );
  if (kind !== 'PrepareStmt' && !isAnalyzing) return [kind, body];
  const [inner = '', fields = {}] = (Object.entries(body.query ?? {})[0] ?? []) as [string?, Node?];
  return [inner, fields];
}

/** The table of SELECT INTO, also in a part of a UNION. */
function intoOf(select: Node): NamedObject[] {
  const found: NamedObject[] = [];
  walk(select, (field, { rel }) => {
    if (field === 'intoClause') found.push(...relationsIn('CreateStmt', { rel }));
  });
  return found;
}

function relationsIn(kind: string, body: Node): NamedObject[] {
  const isNewKind = kind.startsWith('Create') || kind === 'ViewStmt' || kind === 'CompositeTypeStmt';
  const found: NamedObject[] = [];
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
      // A trigger, a policy or a rule is created on an existing relation.
      const isNew =
        isNewKind &&
        field !== 'table' &&
        field !== 'inhRelations' &&
        kind !== 'CreateTrigStmt' &&
        kind !== 'CreateStatsStmt';
      found.push({ kind: 'relation', schema, name: relname, isNew });
      return;
    }
    for (const [name, below] of Object.entries(tree)) collect(below, name === 'RangeVar' ? field : name);
  };
  collect(body, '');
  return found;
}

/** Objects that are named after their table. */
export const BEHIND_TABLE = new Set([...ON_TABLE, 'OBJECT_COLUMN', 'OBJECT_TABCONSTRAINT']);

/** How objects other than relations are looked up by name. */
const LOOKED_UP: ReadonlyMap<string, NamedObject['kind']> = new Map([
  ['OBJECT_TYPE', 'type'],
  ['OBJECT_DOMAIN', 'type'],
  ['OBJECT_FUNCTION', 'routine'],
  ['OBJECT_PROCEDURE', 'routine'],
  ['OBJECT_ROUTINE', 'routine'],
  ['OBJECT_AGGREGATE', 'routine'],
]);

/** The objects that a statement names by lists of names; undefined for those that cannot be looked up. */
export function objectsOf(kind: string, body: Node): (NamedObject | undefined)[] {
  const objects = (body.objects ?? (body.object === undefined ? [] : [body.object])) as readonly Node[];
  const each = (type: unknown) => objects.map((object) => objectOf(String(type), object));
  switch (kind) {
    case 'DropStmt':
      return each(body.removeType);
    case 'CommentStmt':
      return body.objtype === 'OBJECT_SCHEMA' ? inSchemas(objects) : each(body.objtype);
    case 'RenameStmt':
      return each(body.renameType);
    case 'AlterOwnerStmt':
    case 'AlterObjectSchemaStmt':
      return each(body.objectType);
    case 'GrantStmt':
      if (body.objtype === 'OBJECT_SCHEMA' || body.targtype === 'ACL_TARGET_ALL_IN_SCHEMA')
        return inSchemas(objects);
      // Relations are separate nodes.
      return each(body.objtype).filter((_, at) => objects[at]?.RangeVar === undefined);
    case 'AlterDefaultPrivilegesStmt':
      return ((body.options ?? []) as readonly Node[]).flatMap(({ DefElem: option }) => {
        const { defname, arg } = option as { defname?: string; arg?: Node };
        return defname === 'schemas' ? inSchemas((arg?.List as Node | undefined)?.items) : [];
      });
    case 'AlterEnumStmt':
    case 'AlterDomainStmt':
      return [named('type', stringsOf(body.typeName))];
    case 'AlterFunctionStmt':
      return [named('routine', stringsOf((body.func as Node | undefined)?.objname))];
    case 'ReindexStmt':
      return body.kind === 'REINDEX_OBJECT_SCHEMA' ? [anyIn(String(body.name))] : [];
    default: {
      const [name, schema] = (madeNames(kind, body) ?? definedNames(kind, body)).toReversed();
      return name === undefined ? [] : [{ kind: 'relation', schema, name, isNew: true }];
    }
  }
}

/** The name of a new range type, aggregate, operator, collation, text search object, or statistics. */
function definedNames(kind: string, { defnames, typeName }: Node): string[] {
  return stringsOf(kind === 'CreateRangeStmt' ? typeName : defnames);
}

/** An object that is dropped, renamed, commented or granted; for a part of a table, the table. */
function objectOf(type: string, object: Node): NamedObject | undefined {
  const typeName = object.TypeName as Node | undefined;
  const routine = object.ObjectWithArgs as Node | undefined;
  const names = stringsOf(typeName?.names ?? routine?.objname ?? (object.List as Node | undefined)?.items);
  if (BEHIND_TABLE.has(type)) return named('relation', names.slice(0, -1));
  const kind = RELATION_DROPS.has(type) ? 'relation' : LOOKED_UP.get(type);
  return kind === undefined ? undefined : named(kind, names);
}

function named(kind: NamedObject['kind'], names: readonly string[]): NamedObject | undefined {
  const name = names.at(-1);
  return name === undefined ? undefined : { kind, schema: names.at(-2), name, isNew: false };
}

function anyIn(schema: string): NamedObject {
  return { kind: 'relation', schema, name: '*', isNew: true };
}

function inSchemas(names: unknown): NamedObject[] {
  return stringsOf(names).map(anyIn);
}
