import { stringsOf, type Node } from '../../db/parser.ts';

/** A text that is one CREATE EXTENSION or DROP EXTENSION. */
export interface ExtensionStatement {
  readonly deed: 'create' | 'drop';
  readonly names: readonly string[];
  /** The schema that CREATE EXTENSION names. */
  readonly schema: string | undefined;
  /** IF NOT EXISTS. */
  readonly mayExist: boolean;
  readonly isCascade: boolean;
}

/** A text without this word neither creates nor drops an extension. */
export const MENTIONS_EXTENSION = /\bextension\b/i;

export function extensionStatement(kind: string, body: Node): ExtensionStatement | undefined {
  const isCascade = body.behavior === 'DROP_CASCADE';
  if (kind === 'DropStmt' && body.removeType === 'OBJECT_EXTENSION')
    return { deed: 'drop', names: stringsOf(body.objects), schema: undefined, mayExist: false, isCascade };
  if (kind !== 'CreateExtensionStmt') return undefined;
  const names = [String(body.extname)];
  return { deed: 'create', names, schema: schemaOf(body), mayExist: body.if_not_exists === true, isCascade };
}

/** The schema that CREATE EXTENSION names. */
export function schemaOf({ options = [] }: Node): string | undefined {
  const elements = (options as readonly Node[]).map(({ DefElem }) => DefElem as Node | undefined);
  const schema = elements.find((element) => element?.defname === 'schema')?.arg as Node | undefined;
  return stringsOf([schema ?? {}])[0];
}
