import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { z } from 'zod';
import type { DatabaseSettings, ServerSettings } from '../db/connection.ts';
import { TenantctlError } from '../errors.ts';
import type { FolderSettings, Problem, Settings } from './settings.ts';
import type { Variables } from './sources.ts';
import { readCertificates, readPrivateKey } from './ssl.ts';

const port = z
  .string()
  .regex(/^\d+$/, 'is no number')
  .transform(Number)
  .refine((value) => value >= 1 && value <= 65_535, 'is out of range: a port is 1 to 65535');

const boolean = z
  .string()
  .transform((text) => text.trim().toLowerCase())
  .pipe(z.enum(['true', 'false', '1', '0', 'yes', 'no', 'on', 'off'], 'is neither true nor false'))
  .transform((text) => ['true', '1', 'yes', 'on'].includes(text));

const milliseconds = z
  .string()
  .regex(/^\d+$/, 'is no number of milliseconds')
  .transform(Number)
  .refine((value) => value <= 2_147_483_647, 'is too large');

const schema = z.object({
  DATABASE_URL: z.string().optional(),
  DB_HOST: z.string().optional(),
  DB_PORT: port.optional(),
  DB_USER: z.string().optional(),
  DB_PASSWORD: z.string().optional(),
  DB_NAME: z.string().optional(),
  DB_SSL: boolean.optional(),
  DB_SSL_CERT_PATH: z.string().optional(),
  DB_SSL_REJECT_UNAUTHORIZED: boolean.optional(),
  DB_SSL_CLIENT_CERT_PATH: z.string().optional(),
  DB_SSL_CLIENT_KEY_PATH: z.string().optional(),
  DB_EMBEDDED: z.string().optional(),
  MASTER_MIGRATIONS_DIR: z.string().optional(),
  TENANT_MIGRATIONS_DIR: z.string().optional(),
  VECTOR_EXTENSION: z.enum(['auto', 'require', 'off'], 'must be auto, require or off').optional(),
  CONNECT_TIMEOUT_MS: milliseconds.optional(),
  LOCK_TIMEOUT_MS: milliseconds.optional(),
  LOCK_WAIT_TIMEOUT_MS: milliseconds.optional(),
});

type Parsed = z.infer<typeof schema>;

/** The variables that tenantctl reads, and no others. */
export const VARIABLES: readonly string[] = Object.keys(schema.shape);

/** Where `--embedded` keeps its database when no folder is given. */
export const DEFAULT_EMBEDDED_FOLDER = '.tenantctl/embedded';

const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_LOCK_TIMEOUT_MS = 5_000;
const DEFAULT_LOCK_WAIT_TIMEOUT_MS = 60_000;

export interface ReadOptions {
  /** The folder that relative paths begin at. */
  readonly folder: string;
  /** `--embedded`: a folder, or true for the default one. Beats every variable. */
  readonly embedded?: string | true | undefined;
}

/** Settings, or everything that is wrong with them; partly both. */
export interface Reading {
  readonly settings: Settings | undefined;
  readonly problems: readonly Problem[];
  readonly folders: FolderSettings;
}

/** Turns variables into settings; finds every problem, not the first. */
export function readEnvironment(variables: Variables, options: ReadOptions): Reading {
  const problems: Problem[] = [];
  const own = Object.fromEntries(
    VARIABLES.map((name) => [name, variables[name]]).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  const checked = schema.safeParse(own);
  const parsed: Parsed = checked.success ? checked.data : onlyValid(own, checked.error.issues);
  if (!checked.success) {
    for (const issue of checked.error.issues) {
      const name = String(issue.path[0]);
      problems.push({ variable: name, message: `${quoted(name, own[name])}${issue.message}` });
    }
  }
  const warnings: string[] = [];
  const lockWaitMs = parsed.LOCK_WAIT_TIMEOUT_MS ?? DEFAULT_LOCK_WAIT_TIMEOUT_MS;
  const database = readDatabase(parsed, own, options, lockWaitMs, problems, warnings);
  const folders = readFolders(parsed, options.folder);
  const settings =
    problems.length > 0 || database === undefined
      ? undefined
      : {
          database,
          folders,
          vectorExtension: parsed.VECTOR_EXTENSION ?? 'auto',
          lockTimeoutMs: parsed.LOCK_TIMEOUT_MS ?? DEFAULT_LOCK_TIMEOUT_MS,
          lockWaitMs,
          warnings,
        };
  return { settings, problems, folders };
}

/**
 * Settings, or an error that names every problem at once.
 * @throws TenantctlError CONFIG_INVALID
 */
export function requireSettings(reading: Reading): Settings {
  if (reading.settings !== undefined) return reading.settings;
  const lines = reading.problems.map(({ variable, message }) => `${variable}: ${message}`);
  const missing = reading.problems.some(({ message }) => message === NOT_SET);
  throw new TenantctlError(
    'CONFIG_INVALID',
    lines.length === 1
      ? `The configuration is not usable: ${lines[0]}`
      : `The configuration has ${lines.length} problems.`,
    {
      details: lines.length === 1 ? undefined : lines,
      hint: missing
        ? 'Set them in the environment or in .env (tenantctl init writes an example), or try tenantctl without a server: add --embedded.'
        : 'Correct them in the environment or in .env; docs/configuration.md describes each.',
    },
  );
}

const NOT_SET = 'is not set';

function readDatabase(
  parsed: Parsed,
  own: Readonly<Record<string, string>>,
  options: ReadOptions,
  lockWaitMs: number,
  problems: Problem[],
  warnings: string[],
): DatabaseSettings | undefined {
  if (options.embedded !== undefined) {
    const folder =
      options.embedded === true ? (parsed.DB_EMBEDDED ?? DEFAULT_EMBEDDED_FOLDER) : options.embedded;
    return { kind: 'embedded', directory: resolve(options.folder, folder), lockWaitMs };
  }
  const isUrl = own.DATABASE_URL !== undefined;
  const parts = ['DB_HOST', 'DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_NAME'].filter(
    (name) => own[name] !== undefined,
  );
  if (parsed.DB_EMBEDDED !== undefined && (isUrl || parts.length > 0)) {
    const others = isUrl ? ['DATABASE_URL', ...parts] : parts;
    problems.push({
      variable: 'DB_EMBEDDED',
      message: `is set together with ${others.join(', ')}: choose one database`,
    });
    return undefined;
  }
  if (parsed.DB_EMBEDDED !== undefined) {
    return { kind: 'embedded', directory: resolve(options.folder, parsed.DB_EMBEDDED), lockWaitMs };
  }
  if (isUrl && parts.length > 0) {
    problems.push({
      variable: 'DATABASE_URL',
      message: `is set together with ${parts.join(', ')}: choose one database`,
    });
    return undefined;
  }
  const target = isUrl ? fromUrl(parsed, own, problems) : fromParts(parsed, own, problems);
  const ssl = readSsl(parsed, own, options.folder, problems, warnings, target?.urlSsl);
  if (target === undefined || ssl === undefined) return undefined;
  const { urlSsl: _, ...rest } = target;
  return {
    kind: 'server',
    ...rest,
    ssl,
    connectTimeoutMs: parsed.CONNECT_TIMEOUT_MS ?? DEFAULT_CONNECT_TIMEOUT_MS,
  };
}

type ConnectionTarget = Pick<ServerSettings, 'host' | 'port' | 'user' | 'password' | 'database'> & {
  readonly urlSsl?: boolean | undefined;
};

function fromParts(
  parsed: Parsed,
  own: Readonly<Record<string, string>>,
  problems: Problem[],
): ConnectionTarget | undefined {
  for (const name of ['DB_HOST', 'DB_USER', 'DB_NAME']) {
    if (own[name] === undefined) problems.push({ variable: name, message: NOT_SET });
  }
  const { DB_HOST: host, DB_USER: user, DB_NAME: database } = parsed;
  if (host === undefined || user === undefined || database === undefined) return undefined;
  return { host, port: parsed.DB_PORT ?? 5432, user, password: parsed.DB_PASSWORD, database };
}

function fromUrl(
  parsed: Parsed,
  own: Readonly<Record<string, string>>,
  problems: Problem[],
): ConnectionTarget | undefined {
  const variable = 'DATABASE_URL';
  // The URL is never shown: it may hold a password.
  const url = URL.parse(parsed.DATABASE_URL ?? '');
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    problems.push({ variable, message: 'is no URL of the form postgres://user:password@host:port/database' });
    return undefined;
  }
  const decoded = decodeParts(url);
  if (decoded === undefined) {
    problems.push({ variable, message: 'holds a "%" that does not begin an escape: write % as %25' });
    return undefined;
  }
  for (const name of ['host', 'user', 'database'] as const) {
    if (decoded[name] === '') problems.push({ variable, message: `names no ${name}` });
  }
  const mode = url.searchParams.get('sslmode') ?? undefined;
  const rivals = Object.keys(own).filter((name) => name.startsWith('DB_SSL'));
  if (mode !== undefined && rivals.length > 0) {
    problems.push({
      variable,
      message: `has an sslmode, and ${rivals.join(', ')} is set too: say it in one place`,
    });
  }
  const unknown = [...url.searchParams.keys()].filter(
    (key) => key !== 'sslmode' && key !== 'application_name',
  );
  if (unknown.length > 0) {
    problems.push({
      variable,
      message: `has parameters that tenantctl does not know: ${unknown.join(', ')}`,
    });
  }
  if (mode !== undefined && !['disable', 'require', 'verify-full'].includes(mode)) {
    problems.push({
      variable,
      message: `has sslmode=${mode}; tenantctl knows disable, require and verify-full, and checks the certificate in the last two`,
    });
  }
  return {
    host: decoded.host,
    port: url.port === '' ? 5432 : Number(url.port),
    user: decoded.user,
    password: decoded.password === '' ? undefined : decoded.password,
    database: decoded.database,
    urlSsl: mode === undefined ? undefined : mode !== 'disable',
  };
}

function decodeParts(url: URL) {
  try {
    return {
      host: decodeURIComponent(url.hostname).replace(/^\[|\]$/g, ''),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.replace(/^\//, '')),
    };
  } catch {
    return undefined;
  }
}

function readSsl(
  parsed: Parsed,
  own: Readonly<Record<string, string>>,
  folder: string,
  problems: Problem[],
  warnings: string[],
  urlSsl: boolean | undefined,
): ServerSettings['ssl'] | undefined {
  if (!(parsed.DB_SSL ?? urlSsl ?? false)) {
    if (own.DB_SSL_CERT_PATH !== undefined && own.DB_SSL === undefined) {
      warnings.push(
        'DB_SSL_CERT_PATH is set and DB_SSL is not: the connection is not encrypted. Set DB_SSL=true.',
      );
    }
    return false;
  }
  const before = problems.length;
  const ca = pem('DB_SSL_CERT_PATH', own, folder, problems, readCertificates);
  const cert = pem('DB_SSL_CLIENT_CERT_PATH', own, folder, problems, readCertificates);
  const key = pem('DB_SSL_CLIENT_KEY_PATH', own, folder, problems, readPrivateKey);
  if ((own.DB_SSL_CLIENT_CERT_PATH === undefined) !== (own.DB_SSL_CLIENT_KEY_PATH === undefined)) {
    problems.push({
      variable:
        own.DB_SSL_CLIENT_CERT_PATH === undefined ? 'DB_SSL_CLIENT_CERT_PATH' : 'DB_SSL_CLIENT_KEY_PATH',
      message: 'is not set: a client certificate and its key go together',
    });
  }
  if (problems.length > before) return undefined;
  const rejectUnauthorized = parsed.DB_SSL_REJECT_UNAUTHORIZED ?? true;
  if (!rejectUnauthorized) {
    warnings.push(
      "DB_SSL_REJECT_UNAUTHORIZED=false: the server's certificate is not checked, so anybody in between can read and change everything. Set DB_SSL_CERT_PATH instead.",
    );
  }
  return {
    rejectUnauthorized,
    ...(ca !== undefined && { ca: ca.pem }),
    ...(cert !== undefined && { cert: cert.pem }),
    ...(key !== undefined && { key: key.pem }),
  };
}

function pem(
  variable: string,
  own: Readonly<Record<string, string>>,
  folder: string,
  problems: Problem[],
  read: (variable: string, folder: string, name: string) => { readonly pem: string } | Problem,
): { readonly pem: string } | undefined {
  const name = own[variable];
  if (name === undefined) return undefined;
  const result = read(variable, folder, name);
  if ('pem' in result) return result;
  problems.push(result);
  return undefined;
}

/** The folders of the migrations: as named, or migrations/…, or where that does not exist src/…/migrations. */
function readFolders(parsed: Parsed, folder: string): FolderSettings {
  const choose = (named: string | undefined, usual: string, origin: string) => {
    if (named !== undefined) return resolve(folder, named);
    const [first, second] = [resolve(folder, usual), resolve(folder, origin)];
    return !existsSync(first) && existsSync(second) ? second : first;
  };
  return {
    master: choose(parsed.MASTER_MIGRATIONS_DIR, 'migrations/master', 'src/master/migrations'),
    tenants: choose(parsed.TENANT_MIGRATIONS_DIR, 'migrations/tenants', 'src/tenants/migrations'),
    masterIsNamed: parsed.MASTER_MIGRATIONS_DIR !== undefined,
    tenantsIsNamed: parsed.TENANT_MIGRATIONS_DIR !== undefined,
  };
}

function onlyValid(
  own: Readonly<Record<string, string>>,
  issues: readonly { readonly path: readonly PropertyKey[] }[],
): Parsed {
  const bad = new Set(issues.map((issue) => String(issue.path[0])));
  return schema.parse(Object.fromEntries(Object.entries(own).filter(([name]) => !bad.has(name))));
}

/** A value as it may be shown; DATABASE_URL and DB_PASSWORD never are. */
function quoted(name: string, value: string | undefined): string {
  return value === undefined || /PASSWORD|URL/.test(name) ? '' : `"${value}" `;
}
