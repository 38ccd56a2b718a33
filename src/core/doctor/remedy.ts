import { literal } from '../../db/sql.ts';
import { shellWord } from '../../wording.ts';

/**
 * One SQL statement that executes the commands which a query yields, each in a transaction of its own, so that a fleet
 * of any size does not run out of locks. Not to be sent together with other statements, nor within BEGIN
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

/** A remedy handles so many at once, and says that the doctor names the rest. */
export const HANDLED = 20;

/** What a remedy leaves over, as a sentence; empty where it handles all. */
export function leftOver(total: number): string {
  return total > HANDLED
    ? ` Then run tenantctl doctor again: it names the ${total - HANDLED} that are left.`
    : '';
}

/** The same as an SQL comment. */
export function leftOverComment(total: number): string {
  return total > HANDLED ? ` -- then run tenantctl doctor again: ${total - HANDLED} are left` : '';
}

/** The command that provisions these organizations; `--` keeps an id that begins with a dash from being an option. */
export function provisionCommand(organizationIds: readonly string[]): string {
  const words = organizationIds.slice(0, HANDLED).map(shellWord);
  const guard = organizationIds.some((id) => id.startsWith('-')) ? '-- ' : '';
  return `tenantctl tenant provision ${guard}${words.join(' ')}`;
}
