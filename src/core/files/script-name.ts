/** In plans, results and the ledger, a repeatable script's name begins with this. No migration's has a slash. */
export const SCRIPT_PREFIX = 'repeatable/';

export function isScriptName(name: string): boolean {
  return name.startsWith(SCRIPT_PREFIX);
}

/** SQL for isScriptName. @param name in SQL */
export function isScriptNameSql(name: string): string {
  return `starts_with(${name}, '${SCRIPT_PREFIX}')`;
}
