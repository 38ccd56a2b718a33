/** Relations of the catalog that have rows for the objects of every schema. */
const OF_ALL_SCHEMAS =
  /\b(?:from|join)\s+(?:only\s+)?"?(information_schema"?\."?(?!schemata|enabled_roles|applicable_roles|sql_|character_sets|collations)\w+|(?:pg_catalog"?\."?)?pg_(?:tables|class|constraint|index(?:es)?|type|attribute|attrdef|trigger|proc|views|matviews|sequences?|enum|polic(?:y|ies)|rules|stats|statio?_(?:all|user)_\w+))\b/i;

/** Any way of saying which schema is meant. */
const NAMES_A_SCHEMA =
  /(?<!information_)schema|nspname|namespace|search_path|::\s*reg|\bto_reg|\bas\s+reg|_is_visible|pg_get_serial_sequence/i;

const COMMENTS = /--[^\n]*|\/\*[^]*?\*\//g;

/**
 * The relation of the catalog that a text asks without saying which schema it means: it sees the objects of every
 * tenant. Bodies of DO blocks and functions are looked at, too. Pure.
 */
export function catalogQuestion(text: string): string | undefined {
  if (!/information_schema|\bpg_/i.test(text)) return undefined;
  const parts = text.replaceAll(COMMENTS, ' ').split(';');
  const asking = parts.find((part) => OF_ALL_SCHEMAS.test(part) && !NAMES_A_SCHEMA.test(part));
  return asking && OF_ALL_SCHEMAS.exec(asking)?.[1]?.replaceAll('"', '');
}
