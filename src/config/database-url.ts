import type { ParsedVariables } from './variables.ts';
import type { ServerSettings } from '../db/database.ts';

export type ServerTarget = Pick<ServerSettings, 'host' | 'port' | 'user' | 'password' | 'database'>;

export interface DatabaseUrl extends ServerTarget {
  readonly source: 'DATABASE_URL' | 'DB_DIRECT_URL';
  /** From sslmode; undefined without one. */
  readonly ssl?: boolean | undefined;
  readonly connectTimeoutMs?: number | undefined;
}

const FORM = 'is not a URL of the form postgres://user:password@host:port/database';
const CUT_SHORT =
  'holds a /, ? or # before its host: in a user or password write @ as %40, / as %2F, ? as %3F, # as %23, : as %3A, % as %25';
const SEVERAL_HOSTS = 'names several hosts; tenantctl connects to one, the primary';
const NO_HOST = 'no-host.invalid';
const CERTIFICATES =
  '; certificates are named by DB_SSL_CERT_PATH, DB_SSL_CLIENT_CERT_PATH and DB_SSL_CLIENT_KEY_PATH';
const PORT =
  '; the port stands after the host, that of a socket too: postgres://user@%2Fa%2Ffolder:5433/database';
const KNOWN = ['sslmode', 'host', 'connect_timeout'];
/** Parameters that change the connection and so must not be ignored. */
const WEIGHTY =
  /^(ssl|gss|options$|service|passfile$|user$|password$|port$|dbname$|hostaddr$|target_session|replication$|require)/;

/**
 * Parses postgres://user:password@host:port/database?sslmode=verify-full, or with ?host=/a/socket/folder.
 * Problems never show the URL or parts that may be the password.
 * @returns undefined if the variable is unset or invalid
 */
export function readDatabaseUrl(
  variable: DatabaseUrl['source'],
  { parsed, own, problems, warnings }: ParsedVariables,
): DatabaseUrl | undefined {
  const text = parsed[variable];
  if (text === undefined) return undefined;
  const add = (message: string, remedy?: string) => void problems.push({ variable, message, remedy });
  const removal = `Remove those parameters from ${variable}.`;
  const url = parseUrl(text.trim());
  if (typeof url === 'string') {
    add(url);
    return undefined;
  }
  const decoded = decodeParts(url);
  if (decoded === undefined) {
    add('holds a "%" that does not begin an escape: in a user or password write % as %25');
    return undefined;
  }
  for (const name of ['host', 'user', 'database'] as const) {
    if (decoded[name] === '') add(`names no ${name}`);
    if (/\p{Cc}/u.test(decoded[name])) add(`has a control character in its ${name}`);
  }
  if (url.hash !== '') add('holds a #: write it as %23');
  if (decoded.host.includes(',')) add(SEVERAL_HOSTS);
  if (url.port === '0') add(outOfRange(url.port));
  const seconds = url.searchParams.get('connect_timeout');
  if (seconds !== null && !/^\d{1,6}$/.test(seconds))
    add('has a connect_timeout that is not a number of seconds');
  const names = [...url.searchParams.keys()];
  const twice = KNOWN.filter((name) => names.indexOf(name) !== names.lastIndexOf(name));
  if (twice.length > 0) add(`has a parameter more than once: ${twice.join(', ')}`);
  const unknown = [...new Set(names)].filter((name) => !KNOWN.includes(name));
  const refused = unknown.filter((name) => WEIGHTY.test(name));
  const elsewhere = [
    refused.some((name) => name.startsWith('ssl')) ? CERTIFICATES : '',
    refused.includes('port') ? PORT : '',
  ].join('');
  if (refused.length > 0)
    add(`has parameters that tenantctl does not take from a URL: ${refused.join(', ')}${elsewhere}`, removal);
  const ignored = unknown.filter((name) => !WEIGHTY.test(name)).join(', ');
  if (ignored !== '') {
    const message = `has parameters that tenantctl does not know: ${ignored}. They are ignored`;
    warnings.push({ variable, message, remedy: removal });
  }
  return {
    source: variable,
    ...decoded,
    port: url.port === '' ? 5432 : Number(url.port),
    password: decoded.password === '' ? undefined : decoded.password,
    ssl: readSslMode(url.searchParams.get('sslmode'), own, add),
    connectTimeoutMs: seconds === null ? undefined : Number(seconds) * 1000,
  };
}

function readSslMode(
  mode: string | null,
  own: ParsedVariables['own'],
  add: (message: string, remedy?: string) => void,
): boolean | undefined {
  if (mode === null) return undefined;
  const rivals = Object.keys(own).filter((name) => name.startsWith('DB_SSL'));
  if (rivals.length > 0)
    add(
      `has an sslmode, and ${rivals.join(', ')} is set too: say it in one place (without sslmode in the URL, DB_SSL=true asks for TLS)`,
      `Remove sslmode from the URL and set DB_SSL=true; or remove ${rivals.join(', ')}.`,
    );
  if (!['disable', 'require', 'verify-full'].includes(mode))
    add(
      `has sslmode=${mode}; tenantctl knows disable, require and verify-full, and checks the certificate in the last two`,
      'Write sslmode=verify-full (or disable) in the URL.',
    );
  return mode !== 'disable';
}

const outOfRange = (port: string) => `names the port ${port}, out of range: 1 to 65535`;

function parseUrl(text: string): URL | string {
  if (/^["'].*["']$/s.test(text)) return 'is in quotes: remove them';
  if (!/^postgres(ql)?:\/\//i.test(text)) return FORM;
  if (isCutShort(text)) return CUT_SHORT;
  // The URL parser leaves out line breaks and tabs: "a\nb" would be the database ab.
  if (/\p{Cc}/u.test(text)) return 'holds a control character';
  // postgres://user@/database?host=/a/socket/folder has no host, but the URL parser needs one.
  const url = URL.parse(text.replace(/^(\w+:\/\/[^/?#]*@)(?=\/)/, `$1${NO_HOST}`));
  if (url !== null) return url;
  const rest = text.replace(/^\w+:\/\//, '');
  const authority = rest.split(/[/?#]/)[0] ?? '';
  if (authority.slice(authority.lastIndexOf('@')).includes(',')) return SEVERAL_HOSTS;
  // Digits after a colon are a port only after the @.
  const [, host = '', port = ''] = /@([^@]*):(\d+)$/.exec(authority) ?? [];
  if (port === '') return FORM;
  if (Number(port) > 65_535) return outOfRange(port);
  if (host === '') return 'names no host';
  return host.includes(':') ? 'holds an IPv6 address that must be in brackets, without a zone: [::1]' : FORM;
}

/** Whether a / ? or # of the password ends what looks like the host: an "@" is left after it. */
function isCutShort(text: string): boolean {
  const [, authority = '', path = '', query = '', fragment = ''] =
    /^\w+:\/\/([^/?#]*)([^?#]*)(\?[^#]*)?(#.*)?$/s.exec(text) ?? [];
  // A parameter's value may hold an "@", if a user and a database stand before it.
  const isWhole = authority.includes('@') && path.length > 1;
  return /@/.test(path + fragment) || (isWhole ? /[?&][^=&]*@/ : /@/).test(query);
}

function decodeParts({ searchParams, hostname, username, password, pathname }: URL) {
  try {
    const host = decodeURIComponent(hostname)
      .replace(NO_HOST, '')
      .replace(/^\[|\]$/g, '');
    return {
      host: searchParams.get('host') ?? host,
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.replace(/^\//, '')),
    };
  } catch {
    return undefined;
  }
}
