/**
 * The statements that create a routine of tenantctl's on the server: plpgsql, whose statements keep their plans for the session; the search_path is the same at every call. Joins are made
 * in the order in which they are written: looking for a better one takes the planner 40 ms for the view of stamps, on
 * every new connection. For the same reason a plan is made once and not for each tenant.
 */
export function routine(signature: string, body: string, comment: string, kind = 'FUNCTION'): string {
  const types = signature
    .slice(signature.indexOf('(') + 1, signature.indexOf(')'))
    .split(', ')
    .filter((argument) => !argument.startsWith('OUT '))
    .map((argument) => argument.split(' ').at(-1));
  return `CREATE ${kind} tenantctl.${signature} LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET join_collapse_limit = 1 SET plan_cache_mode = force_generic_plan AS $routine$
     ${body}
     $routine$;
     COMMENT ON ${kind} tenantctl.${signature.slice(0, signature.indexOf('('))}(${types.join(', ')}) IS '${comment}'`;
}

/** What is called for each tenant: a CALL answers with no rows, which the client would have to take apart. */
export function procedure(signature: string, body: string, comment: string): string {
  return routine(signature, body, comment, 'PROCEDURE');
}
