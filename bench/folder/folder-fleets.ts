import { readFile } from 'node:fs/promises';
import { register, tidyCatalogs } from '../fleet/fleets.ts';
import { benchTenants } from '../fleet/tenants.ts';
import { withConnection } from '../server/connection.ts';
import type { Templates } from '../server/templates.ts';
import type { FolderProject } from './folder-project.ts';
import type { FolderPrograms } from './folder-programs.ts';

/** Databases in the states that the works begin with. */
export interface FolderFleets {
  /** This many ACTIVE tenants with empty schemas; also none. */
  withNew<T>(tenants: number, use: (url: string) => Promise<T>): Promise<T>;
  /** Tenants that Knex has given all migrations but the last, and that tenantctl knows. */
  withBehind<T>(tenants: number, use: (url: string) => Promise<T>): Promise<T>;
  /** Tenants that tenantctl has given all migrations. */
  withDone<T>(tenants: number, use: (url: string) => Promise<T>): Promise<T>;
}

export function folderFleets(
  project: FolderProject,
  programs: FolderPrograms,
  templates: Templates,
): FolderFleets {
  const { files } = project;
  const buildNew = async (url: string, tenants: number) => {
    const setup = project.setup === undefined ? undefined : await readFile(project.setup, 'utf8');
    await withConnection(url, async (client) => {
      if (setup !== undefined) await client.query(setup);
    });
    await programs.tenantctl(url, ['migrate', 'master']);
    const fleet = benchTenants(tenants);
    await register(url, fleet);
    await withConnection(url, async (client) => {
      for (const { schema } of fleet) await client.query(`CREATE SCHEMA ${schema}`);
    });
  };
  return {
    withNew: (tenants, use) => templates.withCopy(`new_${tenants}`, (url) => buildNew(url, tenants), use),
    withBehind: (tenants, use) =>
      templates.withCopy(
        `behind_${tenants}`,
        async (url) => {
          await buildNew(url, tenants);
          const schemas = benchTenants(tenants).map(({ schema }) => schema);
          await programs.knex({ url, concurrency: BUILDERS, schemas, upTo: files.length - 1 });
          await tidyCatalogs(url);
          // tenantctl adopts the fleet as Knex left it.
          const last = files.at(-2);
          if (last !== undefined) await programs.tenantctl(url, ['migrate', 'tenants', '--to', last]);
        },
        use,
      ),
    withDone: (tenants, use) =>
      templates.withCopy(
        `done_${tenants}`,
        async (url) => {
          await buildNew(url, tenants);
          await programs.tenantctl(url, ['migrate', 'tenants']);
          await tidyCatalogs(url);
        },
        use,
      ),
  };
}

const BUILDERS = 4;
