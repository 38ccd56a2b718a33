import { literal } from '../../db/sql.ts';

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
