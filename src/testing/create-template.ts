import { TenantctlError } from '../errors.ts';
import { buildTemplate } from './build-template.ts';
import { createFresh, type FreshDatabase } from './fresh-database.ts';
import { readProject, type TemplateOptions } from './read-project.ts';
import { openRolledBack, type RolledBackTenant } from './rolled-back.ts';
import { openTestServer } from './test-server.ts';

/** A project's template databases, and what tests get from them. */
export interface Template {
  /**
   * A database of its own, with the shared tables and tenants: a copy of a template, in some 30 ms if fsync is off. Each list of
   * tenants has a template, which is made when the list is used for the first time.
   * @param options.tenants organizations; those of createTemplate if absent
   */
  fresh(options?: { readonly tenants?: readonly string[] | undefined }): Promise<FreshDatabase>;
  /**
   * A tenant in a transaction that is rolled back by `close`. All calls share one database and see what it has been
   * from the start; none sees what another writes. docs/testing.md says what does not work in it.
   * @throws TenantctlError TENANT_UNKNOWN, ORGANIZATION_ID_INVALID
   */
  rolledBack(organization: string): Promise<RolledBackTenant>;
  /** Drops every database that it gave out; the templates stay. Without it, the next run drops them. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes the template databases of a project with its own migrations, or finds those that an earlier run or another
 * process has made. They are made anew when a file in the folders of migrations, scripts, seeds or hooks, the
 * configuration, or tenantctl's version has changed. The role needs CREATEDB.
 * @throws TenantctlError CONFIG_INVALID, RIGHTS_MISSING; as migrateMaster and provisionTenant
 */
export async function createTemplate(options: TemplateOptions = {}): Promise<Template> {
  const project = await readProject(options);
  const server = await openTestServer(project.server, project.prefix);
  const templates = new Map<string, Promise<string>>();
  const shared = new Map<string, Promise<FreshDatabase>>();
  const templateWith = (tenants: readonly string[]) =>
    remembered(templates, tenants, () => buildTemplate(server, project, tenants));
  const fresh: Template['fresh'] = async ({ tenants = project.tenants } = {}) => {
    const copy = async () => createFresh(server, project, await templateWith(tenants));
    return copy().catch((error: unknown) => {
      if (!isMissing(error)) throw error;
      templates.clear();
      return copy();
    });
  };
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= server.close());
  try {
    await templateWith(project.tenants);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    fresh,
    async rolledBack(organization) {
      const tenants = project.tenants.includes(organization) ? project.tenants : [organization];
      const { settings } = await remembered(shared, tenants, () => fresh({ tenants }));
      return openRolledBack(settings, project.settings.names, organization);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** 3D000: a process with other migrations has dropped the template. */
function isMissing(error: unknown): boolean {
  return error instanceof TenantctlError && error.sqlstate === '3D000';
}

/** What was made for these tenants; made again if it failed. */
async function remembered<T>(
  known: Map<string, Promise<T>>,
  tenants: readonly string[],
  make: () => Promise<T>,
): Promise<T> {
  const key = JSON.stringify(tenants);
  const making = known.get(key) ?? make();
  known.set(key, making);
  making.catch(() => known.delete(key));
  return making;
}
