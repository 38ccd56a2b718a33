/**
 * The statements that create a function of tenantctl's on the server: plpgsql, whose statements keep their plans for the
 * session.
 * @param settings further ones, for as long as a call lasts: each `name = value`
 */
export function routine(
  signature: string,
  body: string,
  comment: string,
  settings: readonly string[] = [],
): string {
  return create('FUNCTION', signature, body, comment, settings);
}

/** What is called for each tenant: a CALL answers with no rows, which the client would have to take apart. */
export function procedure(
  signature: string,
  body: string,
  comment: string,
  settings: readonly string[] = [],
): string {
  return create('PROCEDURE', signature, body, comment, settings);
}

/**
 * The search_path is the same at every call. Nothing is compiled just in time: up to PostgreSQL 17 a plan that has no way
 * around a sequential scan would be, and with BY_INDEX that takes 400 ms at every call
 * (https://www.postgresql.org/docs/current/jit-decision.html). Joins are made in the order in which they are written:
 * looking for a better one takes the planner 40 ms for the view of stamps, on every new connection. For the same reason
 * a plan is made once and not for each tenant.
 */
const SETTINGS = [
  'search_path = pg_catalog, pg_temp',
  'jit = off',
  'join_collapse_limit = 1',
  'plan_cache_mode = force_generic_plan',
];

/**
 * What goes by indexes whatever the planner expects: a fleet may have grown a hundredfold since its catalogs were
 * analyzed, and reading pg_depend whole takes longer than all the rest.
 */
export const BY_INDEX = ['enable_seqscan = off'];

function create(
  kind: 'FUNCTION' | 'PROCEDURE',
  signature: string,
  body: string,
  comment: string,
  settings: readonly string[],
): string {
  const all = [...SETTINGS, ...settings].map((setting) => `SET ${setting}`).join(' ');
  const types = signature
    .slice(signature.indexOf('(') + 1, signature.indexOf(')'))
    .split(', ')
    .filter((argument) => !argument.startsWith('OUT '))
    .map((argument) => argument.split(' ').at(-1));
  return `CREATE ${kind} tenantctl.${signature} LANGUAGE plpgsql ${all} AS $routine$
     ${body}
     $routine$;
     COMMENT ON ${kind} tenantctl.${signature.slice(0, signature.indexOf('('))}(${types.join(', ')}) IS '${comment}'`;
}
