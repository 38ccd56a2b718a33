import { resolve } from 'node:path';
import type { DatabaseSettings, ServerSettings } from '../db/connection.ts';
import { readDatabaseUrl } from './database-url.ts';
import type { Problem } from './settings.ts';
import { readSslSettings } from './ssl-settings.ts';
import type { Parsed } from './variables.ts';

/** Where `--embedded` keeps its database when no folder is given. */
export const DEFAULT_EMBEDDED_FOLDER = '.tenantctl/embedded';

/** What a variable is that must be set and is not. */
export const NOT_SET = 'is not set';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const PARTS = ['DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME'];

export interface DatabaseSource {
  readonly parsed: Parsed;
  readonly own: Readonly<Record<string, string>>;
  /** The folder that relative paths begin at. */
  readonly folder: string;
  /** `--embedded`: a folder, or true for the default one. Beats every variable. */
  readonly embedded: string | true | undefined;
  readonly lockWaitMs: number;
}

/** The database that is meant, in one of three ways; two at once are a problem, none is too. */
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
    const others = own.DATABASE_URL === undefined ? parts : ['DATABASE_URL', ...parts];
    return others.length > 0 ? clash('DB_EMBEDDED', others) : inFolder(parsed.DB_EMBEDDED);
  }
  if (own.DATABASE_URL !== undefined && parts.length > 0) return clash('DATABASE_URL', parts);
  return readServer(source, problems, warnings);
}

function readServer(
  { parsed, own, folder }: DatabaseSource,
  problems: Problem[],
  warnings: string[],
): ServerSettings | undefined {
  const url =
    parsed.DATABASE_URL === undefined ? undefined : readDatabaseUrl(parsed.DATABASE_URL, own, problems);
  const target = parsed.DATABASE_URL === undefined ? fromParts(parsed, own, problems) : url;
  if (url !== undefined && url.ignored.length > 0) {
    warnings.push(
      `DATABASE_URL has parameters that mean nothing to tenantctl: ${url.ignored.join(', ')}. They are passed over.`,
    );
  }
  const ssl = readSslSettings({ parsed, own, folder, urlSsl: url?.ssl }, problems, warnings);
  if (target === undefined || ssl === undefined) return undefined;
  const { host, port, user, password, database } = target;
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
): Pick<ServerSettings, 'host' | 'port' | 'user' | 'password' | 'database'> | undefined {
  for (const name of ['DB_HOST', 'DB_USER', 'DB_NAME']) {
    if (own[name] === undefined) problems.push({ variable: name, message: NOT_SET });
  }
  const { DB_HOST: host, DB_USER: user, DB_NAME: database } = parsed;
  if (host === undefined || user === undefined || database === undefined) return undefined;
  return { host, port: parsed.DB_PORT ?? 5432, user, password: parsed.DB_PASSWORD, database };
}
