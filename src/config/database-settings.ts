import { resolve } from 'node:path';
import { passwordFilePath, passwordFileProblem, passwordIn } from './password-file.ts';
import { readDatabaseUrl, type DatabaseUrl, type ServerTarget } from './database-url.ts';
import { readTlsSettings } from './tls.ts';
import { NOT_SET, type ParsedVariables } from './variables.ts';
import type { DatabaseSettings, ServerSettings } from '../db/database.ts';

/** Used by `--embedded` without an argument. */
const DEFAULT_EMBEDDED_FOLDER = '.tenantctl/embedded';
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;

export interface ReadOptions {
  /** Base of relative paths. */
  readonly folder: string;
  /** `--embedded`: a folder, or true for the default. Overrides every variable. */
  readonly embedded?: string | true | undefined;
  /** An embedded database in memory, whatever is configured. */
  readonly inMemory?: boolean | undefined;
}

/** The database, named in exactly one of three ways; undefined if there are problems. */
export function readDatabaseSettings(
  variables: ParsedVariables,
  { folder, embedded, inMemory }: ReadOptions,
): DatabaseSettings | undefined {
  const { parsed, own, problems } = variables;
  const inFolder = (name: string): DatabaseSettings => ({
    kind: 'embedded',
    directory: resolve(folder, name),
    lockWaitMs: parsed.LOCK_WAIT_TIMEOUT_MS,
  });
  if (inMemory === true) return { kind: 'embedded', lockWaitMs: parsed.LOCK_WAIT_TIMEOUT_MS };
  if (embedded === true) return inFolder(parsed.DB_EMBEDDED ?? DEFAULT_EMBEDDED_FOLDER);
  if (embedded !== undefined) return inFolder(embedded);

  const set = (...names: string[]) => names.filter((name) => own[name] !== undefined);
  const parts = set('DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME');
  const [chosen, others] =
    parsed.DB_EMBEDDED !== undefined
      ? ['DB_EMBEDDED', [...set('DATABASE_URL', 'DB_DIRECT_URL'), ...parts]]
      : ['DATABASE_URL', own.DATABASE_URL === undefined ? [] : parts];
  if (others.length > 0) {
    const message = `is set together with ${others.join(', ')}: choose one database`;
    const remedy = `Remove ${chosen}, or remove ${others.join(', ')}.`;
    problems.push({ variable: chosen, message, remedy });
    return undefined;
  }
  return parsed.DB_EMBEDDED === undefined ? readServer(variables, folder) : inFolder(parsed.DB_EMBEDDED);
}

function readServer(variables: ParsedVariables, folder: string): ServerSettings | undefined {
  const { parsed } = variables;
  const url = readDatabaseUrl('DATABASE_URL', variables);
  const target = parsed.DATABASE_URL === undefined ? fromParts(variables) : url;
  const ssl = readTlsSettings(variables, folder, url?.ssl);
  const direct = readDatabaseUrl('DB_DIRECT_URL', variables);
  if (target === undefined || ssl === undefined) return undefined;
  const serverAt = (
    to: ServerTarget,
    at: Pick<DatabaseUrl, 'connectTimeoutMs' | 'source'> | undefined,
    tls: ServerSettings['ssl'],
  ) => {
    const password = to.password ?? parsed.PGPASSWORD ?? readPasswordFile(variables, folder, to);
    return {
      host: to.host,
      port: to.port,
      user: to.user,
      ...(password !== undefined && { password }),
      database: to.database,
      ssl: tls,
      ...(at !== undefined && { source: at.source }),
      connectTimeoutMs: parsed.CONNECT_TIMEOUT_MS ?? at?.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    };
  };
  const settings: ServerSettings = { kind: 'server', ...serverAt(target, url, ssl) };
  if (direct === undefined) return settings;
  // Without its own sslmode, the direct URL inherits the other's: the connection must not lose TLS.
  const isOther = direct.ssl !== undefined && direct.ssl !== (ssl !== false);
  const directSsl = isOther ? readTlsSettings(variables, folder, direct.ssl) : ssl;
  return directSsl === undefined ? undefined : { ...settings, direct: serverAt(direct, direct, directSsl) };
}

/** A function for the password in libpq's password file, which may be renewed; undefined if it has none. */
function readPasswordFile(
  { own, warnings }: ParsedVariables,
  folder: string,
  to: ServerTarget,
): ServerTarget['password'] {
  const named = passwordFilePath(own.PGPASSFILE);
  if (named === undefined) return undefined;
  const path = resolve(folder, named);
  const problem = passwordFileProblem(path);
  if (problem === undefined)
    return passwordIn(path, to) === undefined ? undefined : () => passwordIn(path, to) ?? '';
  if (own.PGPASSFILE !== undefined || problem !== 'does not exist')
    warnings.push({
      variable: 'PGPASSFILE',
      message: `the password file ${path} ${problem}`,
      remedy: `Write a password file that only its owner can read: chmod 600 ${path}`,
    });
  return undefined;
}

function fromParts({ parsed, own, problems }: ParsedVariables): ServerTarget | undefined {
  for (const variable of ['DB_HOST', 'DB_USER', 'DB_NAME']) {
    if (own[variable] === undefined) problems.push({ variable, message: NOT_SET });
  }
  const { DB_HOST: host, DB_PORT: port, DB_USER: user, DB_NAME: database } = parsed;
  if (host === undefined || user === undefined || database === undefined) return undefined;
  return { host, port, user, password: parsed.DB_PASSWORD, database };
}
