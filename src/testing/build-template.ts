import { migrateMaster } from '../core/commands/migrate-master.ts';
import { provisionTenants } from '../core/tenant/provision.ts';
import { withDatabase } from '../db/open.ts';
import { shortHash, type Project } from './read-project.ts';
import type { TestServer } from './test-server.ts';

/** Six connections: four tenants in parallel, the lease, and one for a migration outside a transaction. */
const CONNECTIONS = 6;

/**
 * The template with these tenants; it is made if no process has made it. The one without tenants, which the others
 * are copied from, is made first.
 * @returns its name
 * @throws TenantctlError as migrateMaster and provisionTenant
 */
export async function buildTemplate(
  server: TestServer,
  project: Project,
  tenants: readonly string[],
): Promise<string> {
  const begin = `${project.prefix}_${project.digest}`;
  const name = tenants.length === 0 ? begin : `${begin}_${shortHash(tenants)}`;
  if (await server.exists(name)) return name;
  const base = tenants.length === 0 ? undefined : await buildTemplate(server, project, []);
  await server.alone(name, async () => {
    if (await server.exists(name)) return;
    const unfinished = `${name}_new`;
    await server.drop(unfinished);
    if (base === undefined) await dropOutdated(server, project, begin);
    await server.create(unfinished, base);
    try {
      if (base === undefined) await makeShared(project, unfinished);
      else await makeTenants(project, unfinished, tenants);
      await server.seal(unfinished, name);
    } catch (error) {
      await server.drop(unfinished).catch(() => {});
      throw error;
    }
  });
  return name;
}

/** The migrations have changed. One that is being copied stays until the next time. */
async function dropOutdated(server: TestServer, { prefix }: Project, current: string): Promise<void> {
  for (const name of await server.list(`${prefix}_`)) {
    const isTemplate = !name.startsWith(`${prefix}_run`) && !name.startsWith(current);
    if (isTemplate) await server.drop(name).catch(() => {});
  }
}

async function makeShared(project: Project, name: string): Promise<void> {
  const { masterFolder, prepare } = project;
  await prepare?.(await project.urlOf(name));
  if (masterFolder === undefined) return;
  await withDatabase(...databaseOf(project, name), (database) =>
    migrateMaster(database, { ...optionsOf(project), folder: masterFolder }),
  );
}

async function makeTenants(project: Project, name: string, tenants: readonly string[]): Promise<void> {
  const { masterFolder, seedFolder, hooks, settings } = project;
  const options = {
    ...optionsOf(project),
    folder: settings.folders.tenants,
    masterFolder,
    seedFolder,
    hooks,
  };
  const { tenantRole, folders } = settings;
  await withDatabase(...databaseOf(project, name), async (database) => {
    const made = { ...options, tenantRole, repeatableFolder: folders.repeatable };
    for (const { error } of await provisionTenants(database, tenants, made))
      if (error !== undefined) throw error;
  });
}

function databaseOf({ server, settings }: Project, name: string) {
  return [
    { ...server, database: name },
    { maxConnections: CONNECTIONS, names: settings.names },
  ] as const;
}

function optionsOf({ settings }: Project) {
  const { lockTimeoutMs, statementTimeoutMs, retries, recordings, lockWaitMs, vectorExtension } = settings;
  return { lockTimeoutMs, statementTimeoutMs, retries, recordings, lockWaitMs, vectorExtension };
}
