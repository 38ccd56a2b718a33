import { literal } from '../../db/sql.ts';
import { shellWord } from '../../wording.ts';

/**
 * One SQL statement that executes the commands that a query returns, each in its own transaction: a large fleet would
 * run out of locks. Do not send it with other statements, or within BEGIN
 * (https://www.postgresql.org/docs/current/plpgsql-transactions.html).
 */
export function inEachTenant(commands: string): string {
  const body = `DECLARE command text;
BEGIN
  FOR command IN
    ${commands}
  LOOP EXECUTE command; COMMIT; END LOOP;
END`;
  return `DO ${literal(body)};`;
}

/** A remedy handles this many objects; the doctor names the rest when it runs again. */
export const HANDLED = 20;

/** What a remedy does not handle: a sentence, or a comment in SQL or for the shell. Empty if it handles all. */
export function leftOver(total: number, comment?: '--' | '#'): string {
  if (total <= HANDLED) return '';
  const rest = `run tenantctl doctor again: ${total - HANDLED} are left`;
  return comment === undefined ? ` Then ${rest}.` : ` ${comment} then ${rest}`;
}

/** The command that provisions these organizations. After `--` an id that begins with a dash is not an option. */
export function provisionCommand(organizationIds: readonly string[]): string {
  const words = organizationIds.slice(0, HANDLED).map(shellWord);
  const guard = organizationIds.some((id) => id.startsWith('-')) ? '-- ' : '';
  return `tenantctl tenant provision ${guard}${words.join(' ')}`;
}
