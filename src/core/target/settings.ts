import { setAll } from '../../db/dead-client.ts';
import { ownSettings } from '../../db/transaction.ts';

/**
 * SET or RESET where a statement may begin, also in a string, a DO block or a function; set_config; an UPDATE of
 * pg_settings. The SET of any other UPDATE, of an ALTER or a foreign key follows a name or a keyword.
 */
const MAY_SET =
  /(?:^|[;'$]|>>|\*\/|--[^\n]*\n|\\\w|\b(?:begin|then|else|loop))\s*(?:re)?set\b|\b(?:set_config|pg_settings)\b/i;

/** Restores the session's initial values, except of what tenantctl sets before each migration, or never. */
const RESTORE = `SELECT count(pg_catalog.set_config(s.name, s.reset_val, true)) FROM pg_catalog.pg_settings s
  WHERE s.source = 'session' AND s.context IN ('user', 'superuser') AND s.setting IS DISTINCT FROM s.reset_val
    AND s.name !~ '^(?:transaction_|role$|session_authorization$|application_name$|search_path$)'`;

/**
 * Statements between two migrations of a transaction that undo what the first has set. Reading all settings takes
 * the server about 1 ms, so there are none if no text can set any.
 */
export function restoreSettings(
  texts: readonly string[],
  ...limits: Parameters<typeof ownSettings>
): string[] {
  return texts.some((text) => MAY_SET.test(text))
    ? [RESTORE, ...setAll(ownSettings(...limits), 'LOCAL')]
    : [];
}
