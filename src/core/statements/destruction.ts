import { parse, stringsOf, walk, type Node } from '../../db/parser.ts';

const DROPS_DATA: Readonly<Record<string, string>> = {
  OBJECT_TABLE: 'TABLE',
  OBJECT_SCHEMA: 'SCHEMA',
};

/**
 * What SQL destroys whatever the tables hold, as it is written: "DROP TABLE notes", "DELETE FROM notes" without WHERE.
 * What it hides in a routine or a DO block is not found.
 * @throws the parser's error
 */
export async function destructionIn(sql: string): Promise<string[]> {
  const found: string[] = [];
  for (const { stmt } of (await parse(sql)).stmts ?? [])
    walk(stmt, (kind, node) => found.push(...destructionBy(kind, node)));
  return found;
}

function destructionBy(kind: string, node: Node): string[] {
  if (kind === 'TruncateStmt') return [`TRUNCATE ${relationsOf(node.relations).join(', ')}`];
  if (kind === 'DeleteStmt' && node.whereClause === undefined)
    return [`DELETE FROM ${relationsOf([{ RangeVar: node.relation as Node }]).join()}`];
  if (kind === 'AlterTableCmd' && node.subtype === 'AT_DropColumn')
    return [`DROP COLUMN ${String(node.name)}`];
  const dropped = kind === 'DropStmt' ? DROPS_DATA[String(node.removeType)] : undefined;
  if (dropped === undefined) return [];
  const names = (node.objects as readonly Node[]).map((object) =>
    stringsOf((object.List as Node | undefined)?.items ?? [object]).join('.'),
  );
  return [`DROP ${dropped} ${names.join(', ')}`];
}

interface RangeVar {
  readonly schemaname?: string;
  readonly relname: string;
}

function relationsOf(relations: unknown): string[] {
  return (relations as readonly { readonly RangeVar: RangeVar }[]).map(
    ({ RangeVar: { schemaname, relname } }) =>
      schemaname === undefined ? relname : `${schemaname}.${relname}`,
  );
}
