import { parse, stringsOf, walk, type Node } from '../../db/parser.ts';
import { cutByTokens, type LoneStatement } from '../../db/unreadable.ts';
import { messageOf } from '../../errors.ts';
import { compareNames } from '../files/source.ts';
import {
  changesRole,
  CONTROL_WORDS,
  controlsOf,
  controlsOfUnread,
  type Control,
} from './control-statements.ts';
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
  /** It drops something by name, with CASCADE, or perhaps in a block. */
  readonly drops: boolean;
  /** Its locks may not show everything that it reaches. */
  readonly isObscure: boolean;
  /** The text is one CREATE EXTENSION or DROP EXTENSION. */
  readonly extension: ExtensionStatement | undefined;
  /** It is obscure and may grant columns: only the largest catalog shows that. */
  readonly mayGrant: boolean;
  /** The statements that control its transaction. One that cannot be read may be such: it counts as its end. */
  readonly controls: readonly Control[];
  /** It changes the role that runs it: see changesRole. */
  readonly changesRole: boolean;
  /** The parser's message for a text that it cannot read, but perhaps the server can. */
  readonly problem?: string;
  /** With a problem: the statements, as the lexer finds them. */
  readonly statements?: readonly LoneStatement[];
}

/** The reading of a text that does not parse: every name before a dot may be a schema. */
async function unread(text: string, problem: string): Promise<Reading> {
  const names = [...text.matchAll(/"((?:[^"]|"")+)"\s*\.|([\w$]+)\s*\./g)].map(
    ([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain.toLowerCase(),
  );
  const nothing = { objects: [], global: [], extension: undefined };
  const statements = await cutByTokens(text);
  return {
    ...nothing,
    schemas: names,
    drops: true,
    isObscure: true,
    mayGrant: true,
    controls: await controlsOfUnread(statements),
    changesRole: changesRole(text, undefined),
    problem,
    statements,
  };
}

/** Reads one or more statements. */
export type ReadStatements = (text: string) => Promise<Reading>;

/** Characters of the texts whose readings are cached; then all are forgotten. */
const MOST_KEPT = 20_000_000;

/** A caching reader: most tenants of a run are sent the same texts. */
export function createReadStatements(): ReadStatements {
  const kept = new Map<string, Promise<Reading>>();
  let length = 0;
  return (text) => {
    const earlier = kept.get(text);
    if (earlier !== undefined) return earlier;
    length += text.length;
    if (length > MOST_KEPT) {
      kept.clear();
      ({ length } = text);
    }
    const reading = read(text);
    kept.set(text, reading);
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
    controls: CONTROL_WORDS.test(text) ? controlsOf(parsed) : [],
    changesRole: changesRole(text, parsed),
  };
}

/** Statements that name one object, and no other in a schema. */
const NAMES_ONE = new Set(['CommentStmt', 'DropStmt']);

const DROPPING = new Set(['DropStmt', 'DropOwnedStmt', 'DoStmt']);

type OfStatement = Omit<Reading, 'mayGrant' | 'controls' | 'changesRole' | 'problem' | 'statements'>;

function readStatement(statement: Node): OfStatement {
  const [kind = '', body = {}] = (Object.entries(statement)[0] ?? []) as [string?, Node?];
  const schemas = new Set<string>();
  const objects = namedObjectsOf(...statementRun(kind, body));
  const isBehindTable = NAMES_ONE.has(kind) && BEHIND_TABLE.has(String(body.objtype ?? body.removeType));
  if (isBehindTable) for (const { schema } of objects) if (schema !== undefined) schemas.add(schema);
  let drops = DROPPING.has(kind);
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
