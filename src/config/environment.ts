import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TenantctlError } from '../errors.ts';
import { readDatabaseSettings, type ReadOptions } from './database-settings.ts';
import { SCHEMA_PLACEHOLDER } from '../db/role-name.ts';
import { HASH_LENGTH, MAX_NAME_BYTES } from '../names.ts';
import { readNames } from './names.ts';
import { driverProblems, unreadNames } from './foreign-names.ts';
import type { FolderSettings, Problem, Settings, Variables } from './settings.ts';
import { tlsFiles } from './tls.ts';
import { isShowable, NOT_SET, parseVariables, type Parsed } from './variables.ts';

/** Settings, or their problems. The folders are known either way. */
export interface Reading {
  readonly settings: Settings | undefined;
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  readonly folders: FolderSettings;
  /** The variables that are set; secret values are shown as "set". */
  readonly variables: readonly { readonly name: string; readonly shown: string }[];
}

/** Turns variables into settings and finds every problem, not only the first. */
export function readEnvironment(
  variables: Variables,
  options: ReadOptions,
  fileWarnings: readonly Problem[] = [],
): Reading {
  const read = parseVariables(variables);
  const { parsed, own, problems } = read;
  problems.push(...driverProblems(variables));
  const database = readDatabaseSettings(read, options);
  const names = readNames(read);
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
  const warnings = [...fileWarnings, ...read.warnings, ...unreadNames(variables, problems)];
  const reading = { problems, warnings, folders, variables: set };
  if (problems.length > 0 || database === undefined) return { ...reading, settings: undefined };
  const settings: Settings = {
    database,
    tlsFiles: tlsFiles(read, options.folder),
    names,
    folders,
    vectorExtension: parsed.VECTOR_EXTENSION,
    lockTimeoutMs: parsed.LOCK_TIMEOUT_MS,
    statementTimeoutMs: parsed.STATEMENT_TIMEOUT_MS,
    retries: parsed.RETRIES,
    keepRuns: parsed.RUNS_KEEP,
    recordings: parsed.RECORDINGS,
    runLabel: parsed.TENANTCTL_RUN_LABEL,
    lockWaitMs: parsed.LOCK_WAIT_TIMEOUT_MS,
    tenantRole: parsed.TENANT_ROLE,
    maskKey: parsed.TENANT_MASK_KEY,
  };
  return { ...reading, settings };
}

/** The folders that variables name, else the usual ones, or those below src if only they exist. */
function readFolders(parsed: Parsed, folder: string): FolderSettings {
  const choose = (named: string | undefined, usual: string, other: string) => {
    if (named !== undefined) return resolve(folder, named);
    const [first, second] = [resolve(folder, usual), resolve(folder, other)];
    return !existsSync(first) && existsSync(second) ? second : first;
  };
  const { MASTER_MIGRATIONS_DIR: master, TENANT_MIGRATIONS_DIR: tenants, TENANT_SEEDS_DIR: seeds } = parsed;
  const { TENANT_REPEATABLE_DIR: named } = parsed;
  const repeatable = choose(named, 'repeatable/tenants', 'src/tenants/repeatable');
  return {
    master: choose(master, 'migrations/master', 'src/master/migrations'),
    tenants: choose(tenants, 'migrations/tenants', 'src/tenants/migrations'),
    seeds: choose(seeds, 'seeds/tenants', 'src/tenants/seeds'),
    ...((named !== undefined || existsSync(repeatable)) && { repeatable }),
    masterIsNamed: master !== undefined,
    tenantsIsNamed: tenants !== undefined,
    seedsIsNamed: seeds !== undefined,
    repeatableIsNamed: named !== undefined,
  };
}

/** The settings. @throws TenantctlError CONFIG_INVALID with every problem, including missing named folders */
export function requireSettings({ settings, problems, warnings, folders }: Reading): Settings {
  if (settings === undefined) throw invalid(problems, warnings);
  const missing = [
    { isNamed: folders.masterIsNamed, variable: 'MASTER_MIGRATIONS_DIR', path: folders.master },
    { isNamed: folders.tenantsIsNamed, variable: 'TENANT_MIGRATIONS_DIR', path: folders.tenants },
    { isNamed: folders.seedsIsNamed, variable: 'TENANT_SEEDS_DIR', path: folders.seeds },
    {
      isNamed: folders.repeatableIsNamed,
      variable: 'TENANT_REPEATABLE_DIR',
      path: folders.repeatable ?? '',
    },
  ].filter(({ isNamed, path }) => isNamed && !statSync(path, { throwIfNoEntry: false })?.isDirectory());
  if (missing.length === 0) return settings;
  throw invalid(missing.map(({ variable, path }) => ({ variable, message: `${path} is not a directory` })));
}

/** @throws TenantctlError CONFIG_INVALID if a variable names a bad folder */
export function requireFolders({ folders, problems }: Reading): FolderSettings {
  const own = problems.filter(({ variable }) => /_(?:MIGRATIONS|SEEDS|REPEATABLE)_DIR$/.test(variable));
  if (own.length > 0) throw invalid(own);
  return folders;
}

/** A misspelt variable may be the reason why another one is not set. */
function invalid(problems: readonly Problem[], warnings: readonly Problem[] = []): TenantctlError {
  const names = [...new Set(problems.map(({ variable }) => variable))].join(', ');
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  return new TenantctlError('CONFIG_INVALID', `The configuration has ${count}: ${names}.`, {
    details: [...problems, ...warnings].map(({ variable, message }) => `${variable}: ${message}`),
    hint: problems.some(({ message }) => message === NOT_SET)
      ? 'Set them in the environment or in .env (tenantctl init writes .env.example), or set DATABASE_URL. To try tenantctl without a server, add --embedded.'
      : 'Correct it in the environment or in .env; tenantctl doctor shows how, for each.',
  });
}
