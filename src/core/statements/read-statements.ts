import { parse, stringsOf, walk, type Node } from '../../db/parser.ts';
import { messageOf } from '../../errors.ts';
import { compareNames } from '../files/source.ts';
import { isObscure, mayGrantIn } from './obscurity.ts';
import { extensionStatement, schemaOf, type ExtensionStatement } from './extension-statement.ts';
import { globalDeed, type GlobalDeed } from './global-deed.ts';
import { BEHIND_TABLE, namedObjectsOf, statementRun, type NamedObject } from './named-objects.ts';

/** What an SQL text reaches, according to PostgreSQL's own parser. */
export interface Reading {
  /** Schemas that it names, as qualifiers or in search_path. */
  readonly schemas: readonly string[];
  /** The relations, types and routines that it creates, changes or drops. */
  readonly objects: readonly NamedObject[];
  /** What it does to objects that are in no schema. */
  readonly global: readonly GlobalDeed[];
  /** It drops something by name, or with CASCADE. */
  readonly drops: boolean;
  /** Its locks may not show everything that it reaches. */
  readonly isObscure: boolean;
  /** The text is one CREATE EXTENSION or DROP EXTENSION. */
  readonly extension: ExtensionStatement | undefined;
  /** It is obscure and may grant columns: only the largest catalog shows that. */
  readonly mayGrant: boolean;
  /** The parser's message for a text that it cannot read, but perhaps the server can. */
  readonly problem?: string;
}

/** The reading of a text that does not parse: every name before a dot may be a schema. */
function unread(text: string, problem: string): Reading {
  const names = [...text.matchAll(/"((?:[^"]|"")+)"\s*\.|([\w$]+)\s*\./g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain.toLowerCase(),
  );
  const nothing = { objects: [], global: [], extension: undefined };
  return { ...nothing, schemas: names, drops: true, isObscure: true, mayGrant: true, problem };
}

/** Reads one or more statements. */
export type ReadStatements = (text: string) => Promise<Reading>;

/** The most cached readings, and the most characters of a cached text. */
const MOST_KEPT = 1_000;
const LONGEST_KEPT = 20_000;

/** A caching reader: most tenants of a run are sent the same texts. */
export function createReadStatements(): ReadStatements {
  const kept = new Map<string, Promise<Reading>>();
  return (text) => {
    const earlier = kept.get(text);
    if (earlier !== undefined) return earlier;
    const reading = read(text);
    if (kept.size < MOST_KEPT && text.length <= LONGEST_KEPT) kept.set(text, reading);
    return reading;
  };
}

async function read(text: string): Promise<Reading> {
  const parsed = await parse(text).catch(messageOf);
  if (typeof parsed === 'string') return unread(text, parsed);
  const readings = (parsed.stmts ?? []).map(({ stmt }) => readStatement(stmt as Node));
  const isAnyObscure = readings.some((reading) => reading.isObscure);
  return {
    schemas: [...new Set(readings.flatMap(({ schemas }) => schemas))].toSorted(compareNames),
    objects: readings.flatMap(({ objects }) => objects),
    global: readings.flatMap(({ global }) => global),
    drops: readings.some(({ drops }) => drops),
    isObscure: isAnyObscure,
    extension: readings.length === 1 ? readings[0]?.extension : undefined,
    mayGrant: isAnyObscure && mayGrantIn(text),
  };
}

/** Statements that name one object, and no other in a schema. */
const NAMES_ONE = new Set(['CommentStmt', 'DropStmt']);

function readStatement(statement: Node): Omit<Reading, 'mayGrant' | 'problem'> {
  const [kind = '', body = {}] = (Object.entries(statement)[0] ?? []) as [string?, Node?];
  const schemas = new Set<string>();
  const objects = namedObjectsOf(...statementRun(kind, body));
  const isBehindTable = NAMES_ONE.has(kind) && BEHIND_TABLE.has(String(body.objtype ?? body.removeType));
  if (isBehindTable) for (const { schema } of objects) if (schema !== undefined) schemas.add(schema);
  let drops = kind === 'DropStmt' || kind === 'DropOwnedStmt';
  walk(statement, (name, node) => {
    if (!isBehindTable) for (const schema of schemasIn(name, node)) schemas.add(schema);
    if (node.behavior === 'DROP_CASCADE') drops = true;
  });
  return {
    schemas: [...schemas],
    objects,
    global: globalDeed(...statementRun(kind, body)),
    drops,
    isObscure: isObscure(kind, body),
    extension: extensionStatement(kind, body),
  };
}

/** The schemas that a node itself names: a relation's, the first of a list of names, those of search_path. */
function* schemasIn(kind: string, node: Node): Iterable<string> {
  // A column is one of a relation that FROM names (https://www.postgresql.org/docs/current/sql-expressions.html).
  if (kind === 'ColumnRef') return;
  if (typeof node.schemaname === 'string') yield node.schemaname;
  if (typeof node.newschema === 'string') yield node.newschema;
  const ofExtension = kind === 'CreateExtensionStmt' ? schemaOf(node) : undefined;
  if (ofExtension !== undefined) yield ofExtension;
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
  for (const constant of constantsIn(kind, node)) {
    const [, quoted, plain] = QUALIFIED.exec(constant) ?? [];
    if (quoted !== undefined) yield quoted.replaceAll('""', '"');
    if (plain !== undefined) yield plain.toLowerCase();
  }
  for (const list of Object.values(node)) {
    const names = stringsOf(list);
    if (Array.isArray(list) && names.length === list.length && names.length > 1 && names[0] !== undefined)
      yield names[0];
  }
}

/** A name with a schema at the beginning of a string: in a cast to regclass or as an argument it is a reference. */
const QUALIFIED = /^\s*(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))\s*\./u;

/** The strings that are cast, or given to a function. */
function constantsIn(kind: string, { arg, args }: Node): string[] {
  const values = kind === 'TypeCast' ? [arg] : kind === 'FuncCall' ? ((args ?? []) as unknown[]) : [];
  return values.flatMap((value) => {
    const constant = (value as { A_Const?: { sval?: { sval?: string } } } | undefined)?.A_Const?.sval?.sval;
    return constant === undefined ? [] : [constant];
  });
}
