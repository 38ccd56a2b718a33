import type { Address } from '../db/database.ts';
import { identifier } from '../db/sql.ts';

/** The files that libpq reads for TLS. */
export interface TlsFiles {
  /** Certificates of the authorities that are trusted. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Where a program connects to, and as whom. */
export interface LibpqAddress extends Omit<Address, 'direct' | 'password'> {
  readonly password: string | undefined;
}

/** Variables for a child process; undefined removes one. */
export type ChildVariables = Readonly<Record<string, string | undefined>>;

/** Variables that would lead libpq to another server, or to other certificates. */
const MISLEADING = {
  PGHOSTADDR: undefined,
  PGSERVICE: undefined,
  PGSERVICEFILE: undefined,
  PGREQUIRESSL: undefined,
  PGTARGETSESSIONATTRS: undefined,
};

/** The connection as libpq's variables (https://www.postgresql.org/docs/current/libpq-envars.html). Pure. */
export function libpqVariables(address: LibpqAddress, files: TlsFiles): ChildVariables {
  const { host, port, user, password, database, connectTimeoutMs } = address;
  const { sslmode, sslrootcert, sslcert, sslkey } = tlsParameters(address, files);
  return {
    ...MISLEADING,
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGPASSWORD: password,
    PGDATABASE: database,
    PGCONNECT_TIMEOUT: String(Math.ceil(connectTimeoutMs / 1000)),
    PGSSLMODE: sslmode,
    PGSSLROOTCERT: sslrootcert,
    PGSSLCERT: sslcert,
    PGSSLKEY: sslkey,
  };
}

/** The connection as a URL for libpq and pg. Pure. */
export function connectionUrl(address: LibpqAddress, files: TlsFiles): string {
  const { host, port, user, password, database } = address;
  const login = [user, password].flatMap((part) => (part === undefined ? [] : encodeURIComponent(part)));
  const where = host.includes(':') ? `[${host}]` : encodeURIComponent(host);
  const parameters = Object.entries(tlsParameters(address, files)).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}=${encodeURIComponent(value)}`,
  );
  return `postgres://${login.join(':')}@${where}:${port}/${encodeURIComponent(database)}?${parameters.join('&')}`;
}

type TlsParameters = Readonly<
  Partial<Record<'sslmode' | 'sslrootcert' | 'sslcert' | 'sslkey', string | undefined>>
>;

/** https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-SSLMODE */
function tlsParameters({ ssl }: LibpqAddress, { ca, cert, key }: TlsFiles): TlsParameters {
  if (ssl === false) return { sslmode: 'disable' };
  const certificate = { sslcert: cert, sslkey: key };
  if (ssl.rejectUnauthorized === false) return { sslmode: 'require', ...certificate };
  return { sslmode: 'verify-full', sslrootcert: ca, ...certificate };
}

/**
 * Options that the server applies at the start of a session, after those that are set. The server splits them at white
 * space, unless a backslash precedes it (https://www.postgresql.org/docs/current/libpq-connect.html). Pure.
 */
export function sessionOptions(
  before: string | undefined,
  settings: Readonly<Record<string, string>>,
): string {
  const options = Object.entries(settings).map(
    ([name, value]) => `-c ${name}=${value.replaceAll(/[\\ \t\n\v\f\r]/g, String.raw`\$&`)}`,
  );
  return [...(before === undefined ? [] : [before]), ...options].join(' ');
}

/** The value of search_path for a tenant. Pure. */
export function searchPathOf(schema: string): string {
  return [schema, 'public'].map(identifier).join(',');
}
