import { resolve } from 'node:path';
import { readDatabaseUrl, type UrlTarget, type UrlVariable } from './database-url.ts';
import type { Problem } from './settings.ts';
import { readSslSettings } from './ssl-settings.ts';
import type { Parsed } from './variables.ts';
import type { DatabaseSettings, ServerSettings } from '../db/database.ts';

/** The folder of `--embedded` without an argument. */
export const DEFAULT_EMBEDDED_FOLDER = '.tenantctl/embedded';

/** The message for a variable that must be set. */
export const NOT_SET = 'is not set';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const PARTS = ['DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME'];

type Target = Pick<ServerSettings, 'host' | 'port' | 'user' | 'password' | 'database'>;

export interface DatabaseSource {
  readonly parsed: Parsed;
  readonly own: Readonly<Record<string, string>>;
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** `--embedded`: a folder, or true for the default one. Overrides every variable. */
  readonly embedded: string | true | undefined;
  readonly lockWaitMs: number;
}

/** The database, named in exactly one of three ways. */
export function readDatabaseSettings(
  source: DatabaseSource,
  problems: Problem[],
  warnings: string[],
): DatabaseSettings | undefined {
  const { parsed, own, folder, embedded, lockWaitMs } = source;
  const inFolder = (name: string): DatabaseSettings => ({
    kind: 'embedded',
    directory: resolve(folder, name),
    lockWaitMs,
  });
  if (embedded === true) return inFolder(parsed.DB_EMBEDDED ?? DEFAULT_EMBEDDED_FOLDER);
  if (embedded !== undefined) return inFolder(embedded);

  const parts = PARTS.filter((name) => own[name] !== undefined);
  const clash = (variable: string, others: readonly string[]) => {
    const message = `is set together with ${others.join(', ')}: choose one database`;
    problems.push({ variable, message });
    return undefined;
  };
  if (parsed.DB_EMBEDDED !== undefined) {
    const others = [...['DATABASE_URL', 'DB_DIRECT_URL'].filter((name) => own[name] !== undefined), ...parts];
    return others.length > 0 ? clash('DB_EMBEDDED', others) : inFolder(parsed.DB_EMBEDDED);
  }
  if (own.DATABASE_URL !== undefined && parts.length > 0) return clash('DATABASE_URL', parts);
  return readServer(source, problems, warnings);
}

function readServer(
  source: DatabaseSource,
  problems: Problem[],
  warnings: string[],
): ServerSettings | undefined {
  const { parsed, own } = source;
  const url = readUrl('DATABASE_URL', source, problems, warnings);
  const target = parsed.DATABASE_URL === undefined ? fromParts(parsed, own, problems) : url;
  const ssl = readSslSettings({ ...source, urlSsl: url?.ssl }, problems, warnings);
  const direct = readUrl('DB_DIRECT_URL', source, problems, warnings);
  if (target === undefined || ssl === undefined) return undefined;
  const settings = serverAt(target, ssl, parsed, url);
  if (direct === undefined) return settings;
  // What this URL does not say is as for the other one: the connection must not lose its TLS.
  const isOther = direct.ssl !== undefined && direct.ssl !== (ssl !== false);
  const directSsl = isOther ? readSslSettings({ ...source, urlSsl: direct.ssl }, problems, warnings) : ssl;
  if (directSsl === undefined) return undefined;
  const { kind: _, ...directSettings } = serverAt(direct, directSsl, parsed, direct);
  return { ...settings, direct: directSettings };
}

function readUrl(
  variable: UrlVariable,
  { parsed, own }: DatabaseSource,
  problems: Problem[],
  warnings: string[],
): UrlTarget | undefined {
  const text = parsed[variable];
  const url = text === undefined ? undefined : readDatabaseUrl(variable, text, own, problems);
  if (url !== undefined && url.ignored.length > 0) {
    warnings.push(
      `${variable} has parameters that tenantctl does not know: ${url.ignored.join(', ')}. They are ignored.`,
    );
  }
  return url;
}

function serverAt(
  { host, port, user, password, database }: Target,
  ssl: ServerSettings['ssl'],
  parsed: Parsed,
  url: UrlTarget | undefined,
): ServerSettings {
  return {
    kind: 'server',
    host,
    port,
    user,
    ...(password !== undefined && { password }),
    database,
    ssl,
    connectTimeoutMs: parsed.CONNECT_TIMEOUT_MS ?? url?.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
}

function fromParts(
  parsed: Parsed,
  own: Readonly<Record<string, string>>,
  problems: Problem[],
): Target | undefined {
  for (const name of ['DB_HOST', 'DB_USER', 'DB_NAME']) {
    if (own[name] === undefined) problems.push({ variable: name, message: NOT_SET });
  }
  const { DB_HOST: host, DB_USER: user, DB_NAME: database } = parsed;
  if (host === undefined || user === undefined || database === undefined) return undefined;
  return { host, port: parsed.DB_PORT ?? 5432, user, password: parsed.DB_PASSWORD, database };
}
