import { TenantctlError } from '../errors.ts';
import { NOT_SET, readDatabaseSettings } from './database-settings.ts';
import { SCHEMA_PLACEHOLDER } from '../db/role-name.ts';
import { HASH_LENGTH, MAX_NAME_BYTES } from '../names.ts';
import { readFolders } from './folders.ts';
import { readNames } from './names.ts';
import type { FolderSettings, Problem, Settings } from './settings.ts';
import type { Variables } from './sources.ts';
import { isShowable, parseVariables } from './variables.ts';

const DEFAULT_LOCK_TIMEOUT_MS = 5_000;
const DEFAULT_LOCK_WAIT_TIMEOUT_MS = 60_000;

export interface ReadOptions {
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** `--embedded`: a folder, or true for the default one. Overrides every variable. */
  readonly embedded?: string | true | undefined;
}

/** Settings, or their problems. The folders are known either way. */
export interface Reading {
  readonly settings: Settings | undefined;
  readonly problems: readonly Problem[];
  readonly folders: FolderSettings;
  /** The variables that are set, with their values; secret ones are shown as "set". */
  readonly variables: readonly { readonly name: string; readonly shown: string }[];
}

/** Turns variables into settings; finds every problem, not only the first. */
export function readEnvironment(variables: Variables, options: ReadOptions): Reading {
  const { parsed, own, problems: malformed } = parseVariables(variables);
  const problems: Problem[] = [...malformed];
  const warnings: string[] = [];
  const lockWaitMs = parsed.LOCK_WAIT_TIMEOUT_MS ?? DEFAULT_LOCK_WAIT_TIMEOUT_MS;
  const source = { parsed, own, folder: options.folder, embedded: options.embedded, lockWaitMs };
  const database = readDatabaseSettings(source, problems, warnings);
  const names = readNames(parsed, problems);
  const role =
    parsed.TENANT_ROLE?.replaceAll(SCHEMA_PLACEHOLDER, `${names.schemaPrefix}${'0'.repeat(HASH_LENGTH)}`) ??
    '';
  if (parsed.TENANT_SCHEMA_PREFIX !== undefined && Buffer.byteLength(role, 'utf8') > MAX_NAME_BYTES)
    problems.push({
      variable: 'TENANT_ROLE',
      message: `gives names that are too long with this TENANT_SCHEMA_PREFIX: at most ${MAX_NAME_BYTES} bytes`,
    });
  const folders = readFolders(parsed, options.folder);
  const set = Object.entries(own).map(([name, value]) => ({
    name,
    shown: isShowable(name, value) ? value : 'set',
  }));
  const reading = { problems, folders, variables: set };
  if (problems.length > 0 || database === undefined) return { ...reading, settings: undefined };
  const settings: Settings = {
    database,
    names,
    folders,
    vectorExtension: parsed.VECTOR_EXTENSION ?? 'auto',
    lockTimeoutMs: parsed.LOCK_TIMEOUT_MS ?? DEFAULT_LOCK_TIMEOUT_MS,
    statementTimeoutMs: parsed.STATEMENT_TIMEOUT_MS,
    retries: parsed.RETRIES,
    keepRuns: parsed.RUNS_KEEP,
    lockWaitMs,
    tenantRole: parsed.TENANT_ROLE,
    warnings,
  };
  return { ...reading, settings };
}

/**
 * Settings, or an error that names every problem at once.
 * @throws TenantctlError CONFIG_INVALID
 */
export function requireSettings(reading: Reading): Settings {
  if (reading.settings !== undefined) return reading.settings;
  throw invalid(reading.problems);
}

/**
 * The folders of the migrations, for what needs no database.
 * @throws TenantctlError CONFIG_INVALID where a variable that names one is at fault
 */
export function requireFolders({ folders, problems }: Reading): FolderSettings {
  const own = problems.filter(({ variable }) => variable.endsWith('_MIGRATIONS_DIR'));
  if (own.length > 0) throw invalid(own);
  return folders;
}

function invalid(problems: readonly Problem[]): TenantctlError {
  const names = [...new Set(problems.map(({ variable }) => variable))].join(', ');
  return new TenantctlError(
    'CONFIG_INVALID',
    problems.length === 1
      ? `The configuration has a problem: ${names}.`
      : `The configuration has ${problems.length} problems: ${names}.`,
    {
      details: problems.map(({ variable, message }) => `${variable}: ${message}`),
      hint: problems.some(({ message }) => message === NOT_SET)
        ? 'Set them in the environment or in .env (tenantctl init writes .env.example), or set DATABASE_URL. To try tenantctl without a server, add --embedded.'
        : 'Correct it in the environment or in .env; tenantctl doctor says how, for each.',
    },
  );
}
