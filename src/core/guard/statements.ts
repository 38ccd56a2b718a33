import { parse } from '../../db/parser.ts';
import { compareNames } from '../migrations/source.ts';

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

/** A node of the parse tree: an object with one key, its kind. Its fields are as libpg-query's protobuf has them. */
type Node = Readonly<Record<string, unknown>>;

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
    global: GLOBAL.has(kind) ? [GLOBAL.get(kind) ?? kind] : [],
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
  if (node.removeType === 'OBJECT_SCHEMA' || node.objtype === 'OBJECT_SCHEMA') yield* stringsOf(node.objects);
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

/** The strings of a list of names. */
function stringsOf(list: unknown): string[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item: Node) => {
    const value = (item.String as { readonly sval?: string } | undefined)?.sval;
    return value === undefined ? [] : [value];
  });
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

/** What of a statement is only referred to, or read: a foreign key's other table, a parent, a query. */
const REFERRED = new Set(['pktable', 'inhRelations', 'query', 'selectStmt', 'whereClause', 'functions']);

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
  if (kind === 'AlterEnumStmt') {
    const names = stringsOf(body.typeName);
    const name = names.at(-1);
    if (name !== undefined) targets.push({ kind: 'type', schema: names.at(-2), name, isNew: false });
  }
  return targets;
}

const ON_TABLE = new Set(['OBJECT_TRIGGER', 'OBJECT_RULE', 'OBJECT_POLICY']);
const RELATION_DROPS = new Set([
  'OBJECT_TABLE',
  'OBJECT_INDEX',
  'OBJECT_VIEW',
  'OBJECT_MATVIEW',
  'OBJECT_SEQUENCE',
  'OBJECT_FOREIGN_TABLE',
  ...ON_TABLE,
]);

/**
 * Statements whose every effect outside the schema would show in the locks on relations that their transaction holds:
 * those that act on relations, and those that make what is created in the first schema of the search_path.
 */
const SHOWS_IN_LOCKS = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
  'MergeStmt',
  'CreateStmt',
  'CreateTableAsStmt',
  'AlterTableStmt',
  'IndexStmt',
  'TruncateStmt',
  'CreateSeqStmt',
  'AlterSeqStmt',
  'ViewStmt',
  'CreateTrigStmt',
  'CreatePolicyStmt',
  'AlterPolicyStmt',
  'CompositeTypeStmt',
  'RefreshMatViewStmt',
  'LockStmt',
  'ConstraintsSetStmt',
  'RuleStmt',
  'DeclareCursorStmt',
  'FetchStmt',
  'ClosePortalStmt',
  'NotifyStmt',
  'ListenStmt',
  'UnlistenStmt',
]);

/** These, too, where their name has no schema before it. */
const MADE_IN_FIRST: ReadonlyMap<string, string> = new Map([
  ['CreateEnumStmt', 'typeName'],
  ['CreateDomainStmt', 'domainname'],
  ['CreateFunctionStmt', 'funcname'],
]);

/** Settings that change nothing of what a statement reaches. */
const HARMLESS_SETTING =
  /^(?:\w+_timeout|work_mem|maintenance_work_mem|check_function_bodies|client_min_messages|timezone|datestyle|intervalstyle|bytea_output|extra_float_digits|transform_null_equals)$/i;

const ON_RELATIONS =
  /^OBJECT_(?:TABLE|INDEX|VIEW|MATVIEW|SEQUENCE|FOREIGN_TABLE|COLUMN|TABCONSTRAINT|TRIGGER|RULE|POLICY)$/;

function obscurityOf(kind: string, body: Node): string | undefined {
  if (SHOWS_IN_LOCKS.has(kind)) return undefined;
  const nameField = MADE_IN_FIRST.get(kind);
  if (nameField !== undefined && stringsOf(body[nameField]).length === 1) return undefined;
  switch (kind) {
    case 'DropStmt':
      if (RELATION_DROPS.has(String(body.removeType))) return undefined;
      break;
    case 'CommentStmt':
      if (ON_RELATIONS.test(String(body.objtype))) return undefined;
      break;
    case 'RenameStmt':
      if (body.relation !== undefined && ON_RELATIONS.test(String(body.renameType))) return undefined;
      break;
    case 'CopyStmt':
      if (body.is_from !== true && body.filename === undefined && body.is_program !== true) return undefined;
      break;
    case 'VariableSetStmt':
      if (HARMLESS_SETTING.test(String(body.name))) return undefined;
      return 'it changes a setting';
    case 'DoStmt':
      return 'it has a DO block';
    case 'CallStmt':
      return 'it calls a procedure';
    default:
  }
  return `it has a statement whose locks do not tell what it reaches (${kind.replace(/Stmt$/, '')})`;
}

/** Functions of PostgreSQL's own, and of its most common extensions, that reach nothing but their arguments. */
const REACHES_NOTHING =
  /^(?:now|clock_timestamp|statement_timestamp|transaction_timestamp|timezone|date_part|date_trunc|extract|age|make_\w+|to_(?:char|date|number|timestamp|tsvector|tsquery|json|jsonb)|\w*tsquery|setweight|gen_random_uuid|uuidv[47]|uuid_generate_v[14]|random|nextval|currval|current_schemas?|lastval|setval|pg_get_serial_sequence|current_setting|lower|upper|initcap|length|char_length|octet_length|btrim|ltrim|rtrim|trim|replace|translate|substr|substring|left|right|lpad|rpad|reverse|repeat|split_part|strpos|position|concat|concat_ws|format|md5|sha\d+|digest|encode|decode|regexp_\w+|similarity|unaccent|abs|ceil|ceiling|floor|round|trunc|mod|power|sqrt|sign|greatest|least|coalesce|nullif|count|sum|avg|min|max|array_agg|string_agg|bool_(?:and|or)|every|row_number|rank|dense_rank|lag|lead|first_value|last_value|unnest|array_\w+|cardinality|json_(?:build|agg|object|array|extract|typeof|strip|populate|to)\w*|jsonb_(?:build|agg|object|array|extract|typeof|strip|set|insert|pretty|path|populate|to|each|exists)\w*|jsonb_set|row_to_json|generate_series|int[48]range|numrange|tsrange|tstzrange|daterange|isempty|lower_inc|upper_inc|hashtext|hashtextextended|pg_backend_pid|pg_sleep|version|txid_current|pg_current_xact_id|to_reg\w+|pg_typeof|has_\w+_privilege|l2_distance|cosine_distance|inner_product)$/i;

/**
 * Whether a text may grant something: in so many words, by SQL that is put together while it runs, or by a function or
 * procedure that does. What a block consists of is none of the parser's business, so it is looked for in the words.
 */
function mayGrantIn(text: string): boolean {
  if (/\b(?:grant|revoke|execute|call)\b|"\s*\(/i.test(text)) return true;
  return [...text.matchAll(/([\w.$]+)\s*\(/g)].some(
    ([, name = '']) => !REACHES_NOTHING.test(name) && !IS_NO_CALL.test(name),
  );
}

/** What may stand before a parenthesis and calls nothing: keywords, and types with a length. */
const IS_NO_CALL =
  /^(?:\d+|and|or|not|in|exists|any|all|some|as|on|by|from|where|when|then|if|elsif|while|case|return|perform|select|values|using|with|over|filter|table|key|unique|check|references|include|default|union|except|intersect|distinct|array|row|raise|assert|loop|for|set|into|varchar|char|character|bpchar|varying|numeric|decimal|bit|time|timestamp|timestamptz|interval|vector|float)$/i;

function obscureCall({ funcname }: Node): string | undefined {
  const names = stringsOf(funcname);
  const name = names.at(-1) ?? '';
  const isPlain = names.length === 1 || (names.length === 2 && names[0] === 'pg_catalog');
  return isPlain && REACHES_NOTHING.test(name) ? undefined : `it calls the function ${names.join('.')}`;
}
