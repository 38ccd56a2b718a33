import type { TenantNames } from '../../names.ts';
import { accessSync, constants, statSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { getCACertificates } from 'node:tls';
import type { ChildVariables, LibpqAddress, TlsFiles } from '../../config/libpq.ts';
import type { Settings } from '../../config/settings.ts';
import type { Address, Database, ServerSettings } from '../../db/database.ts';
import { TenantctlError } from '../../errors.ts';
import type { Context } from './context.ts';

/** The environment of a program that works on one tenant. */
export type EnvironmentOf = (
  tenant: TenantNames,
  session?: Readonly<Record<string, string>>,
) => NodeJS.ProcessEnv;

/** @throws TenantctlError USAGE for an embedded database, which no other program can connect to */
export async function refuseEmbedded(context: Context, hint: string): Promise<void> {
  const { settings } = await context.readEnvironment();
  if (settings?.database.kind === 'embedded')
    throw new TenantctlError('USAGE', 'No other program can connect to the embedded database.', { hint });
}

/** Whether a program can be started by this name. On Windows, names have extensions: there it is tried. */
export function isProgram(name: string, folder: string): boolean {
  if (process.platform === 'win32') return true;
  const folders = name.includes('/') ? [folder] : (process.env.PATH ?? '').split(delimiter);
  return folders.some((each) => {
    try {
      const path = resolve(folder, each, name);
      accessSync(path, constants.X_OK);
      return statSync(path).isFile();
    } catch {
      return false;
    }
  });
}

/**
 * The environment in which programs connect as tenantctl does, past a pooler, which would not pass session options on.
 * A file that they need is removed when `use` has ended.
 * @throws TenantctlError POOLER_UNSUPPORTED if there is no way past a pooler; as Database.sessions does
 */
export async function withEnvironment<T>(
  database: Database,
  { database: target, tlsFiles }: Settings,
  use: (environmentOf: EnvironmentOf) => Promise<T>,
): Promise<T> {
  if (target.kind === 'embedded') throw new Error('an embedded database has no address');
  if ((await database.sessions()).behindPooler)
    throw new TenantctlError('POOLER_UNSUPPORTED', 'DB_DIRECT_URL leads to a connection pooler.', {
      hint: 'Set it to PostgreSQL itself: a pooler does not pass on the search path of a tenant.',
    });
  const libpq = await import('../../config/libpq.ts');
  const { direct, ...address } = target;
  const to = await withPassword(direct ?? address);
  return withAuthorities(to, tlsFiles, (files) => {
    const url = target.source === undefined ? {} : { DATABASE_URL: libpq.connectionUrl(to, files) };
    const shared: ChildVariables = { ...process.env, ...libpq.libpqVariables(to, files), ...url };
    return use(({ clerkOrgId, schema }, session = {}) => ({
      ...shared,
      PGOPTIONS: libpq.sessionOptions(process.env.PGOPTIONS, {
        search_path: libpq.searchPathOf(schema),
        ...session,
      }),
      TENANT_ORG: clerkOrgId,
      TENANT_SCHEMA: schema,
    }));
  });
}

async function withPassword({ password, ...address }: Omit<Address, 'direct'>): Promise<LibpqAddress> {
  return { ...address, password: typeof password === 'function' ? await password() : password };
}

/** libpq knows no authorities by itself: without DB_SSL_CERT_PATH it gets a file of those that Node.js trusts. */
async function withAuthorities<T>(
  { ssl }: Pick<ServerSettings, 'ssl'>,
  files: TlsFiles,
  use: (files: TlsFiles) => Promise<T>,
): Promise<T> {
  if (ssl === false || ssl.rejectUnauthorized === false || files.ca !== undefined) return use(files);
  const directory = await mkdtemp(join(tmpdir(), 'tenantctl-'));
  try {
    const ca = join(directory, 'authorities.pem');
    await writeFile(ca, getCACertificates('default').join('\n'));
    return await use({ ...files, ca });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
