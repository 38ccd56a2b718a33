/** A function or procedure of the schema tenantctl. */
export interface Routine {
  /** Name and types of the arguments: `note_own(text)`. */
  readonly identity: string;
  /** What PostgreSQL stores: pg_proc.prosrc. */
  readonly source: string;
  /** What PostgreSQL stores: pg_proc.proconfig. */
  readonly settings: readonly string[];
  readonly create: string;
}

/**
 * JIT is off: up to PostgreSQL 17 any plan with an unavoidable sequential scan would be compiled, which takes
 * 400 ms per call with BY_INDEX (https://www.postgresql.org/docs/current/jit-decision.html). Joins keep their
 * written order: planning the view of stamps would take 40 ms on every new connection. Generic plans are made
 * once, not for each tenant. Names are compared as regclass and quote_ident write them.
 */
const SETTINGS = [
  'search_path = pg_catalog, pg_temp',
  'jit = off',
  'join_collapse_limit = 1',
  'plan_cache_mode = force_generic_plan',
  'quote_all_identifiers = off',
];

/**
 * Statistics may be stale after a fleet's growth; a full scan of pg_depend takes longer than all the rest.
 */
export const BY_INDEX = ['enable_seqscan = off'];

/**
 * A plpgsql function, whose plans are cached for the session; or, if the signature returns nothing, a procedure,
 * for what is called per tenant: unlike SELECT, CALL returns no rows for the client to parse.
 * @param own settings, each `name = value`
 */
export function routine(
  signature: string,
  body: string,
  comment: string,
  own: readonly string[] = [],
): Routine {
  const kind = /\b(?:RETURNS|OUT) /.test(signature) ? 'FUNCTION' : 'PROCEDURE';
  const settings = [...SETTINGS, ...own];
  const types = signature
    .slice(signature.indexOf('(') + 1, signature.indexOf(')'))
    .split(', ')
    .filter((argument) => !argument.startsWith('OUT '))
    .map((argument) => argument.split(' ').at(-1));
  const identity = `${signature.slice(0, signature.indexOf('('))}(${types.join(', ')})`;
  const source = `\n     ${body}\n     `;
  return {
    identity,
    source,
    settings: settings.map((setting) => setting.replace(' = ', '=')),
    create: `CREATE ${kind} tenantctl.${signature} LANGUAGE plpgsql ${settings.map((setting) => `SET ${setting}`).join(' ')} AS $routine$${source}$routine$;
     COMMENT ON ${kind} tenantctl.${identity} IS '${comment}'`,
  };
}
