import { literal } from '../../db/sql.ts';

/**
 * SQL that executes each command that a query returns in its own transaction: one transaction for a large
 * fleet would run out of locks. Send it alone and outside BEGIN
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

/** The number of objects in one remedy; the next doctor run lists the rest. */
export const HANDLED = 20;

/** The rest, as a sentence or as a comment in SQL or shell. Empty if nothing is left. */
export function leftOver(total: number, comment?: '--' | '#'): string {
  if (total <= HANDLED) return '';
  const rest = `run tenantctl doctor again: ${total - HANDLED} are left`;
  return comment === undefined ? ` Then ${rest}.` : ` ${comment} then ${rest}`;
}
