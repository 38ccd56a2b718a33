/** What a connection is to: the same of two of them where it matters. */
export interface Place {
  /** Microseconds since 1970 at which the server was started: no two servers have the same. */
  readonly started: string;
  readonly oid: string;
  readonly name: string;
  readonly role: string;
}

/** The columns of a Place, in a query of its own or of others. */
export const PLACE = `(extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint::text AS started,
  (SELECT d.oid::text FROM pg_database d WHERE d.datname = current_database()) AS oid,
  current_database()::text AS name, current_user::text AS role`;
