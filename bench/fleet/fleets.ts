import { runNode } from '../child.ts';
import { migrateTenants, TENANTCTL, tenantctlEnv } from '../rivals/tenantctl.ts';
import { withConnection } from '../server/connection.ts';
import type { BenchServer } from '../server/server.ts';
import { createTemplates, type TemplateOptions } from '../server/templates.ts';
import { knexHistory, type HistoryForm } from './histories.ts';
import { INIT } from './migrations.ts';
import { REGISTRY_SQL } from '../../test/support/init-sql.ts';
import type { Projects } from './projects.ts';
import { benchTenants, type BenchTenant } from './tenants.ts';

export interface FleetDatabase {
  readonly url: string;
  /** The registry's tenants, or those to be provisioned if it is empty. */
  readonly tenants: readonly BenchTenant[];
}

/** `migrated`: `init` applied. `registered`: ACTIVE tenants, empty schemas. `unknown`: empty registry. */
export type FleetKind = 'migrated' | 'registered' | 'unknown';

/** A fleet's parameters. tenantctl's fleets also serve as Knex's: the histories are the same. */
export interface FleetForm {
  readonly kind: FleetKind;
  readonly history: HistoryForm;
  readonly tenants: number;
}

/** Fleets, each built once; measurements use copies. */
export interface Fleets {
  /** Runs `use` with a fresh copy that keeps oids and transaction ids. The next call drops it, unless the options say otherwise. */
  withCopy<T>(form: FleetForm, use: (fleet: FleetDatabase) => Promise<T>): Promise<T>;
  /** Drops fleets of that size before the next copy. */
  discard(tenants: number): void;
}

export function createFleets(
  server: BenchServer,
  projects: Projects,
  report: (line: string) => void,
  options: TemplateOptions = {},
): Fleets {
  const templates = createTemplates(server, report, options);
  const sizes = new Map<string, number>();
  return {
    withCopy(form, use) {
      const template = `fleet_${form.kind}_${form.history.name.replaceAll('-', '_')}_${form.tenants}`;
      sizes.set(template, form.tenants);
      return templates.withCopy(
        template,
        (url) => build(url, form, projects),
        (url) => use({ url, tenants: benchTenants(form.tenants) }),
      );
    },
    discard(tenants) {
      for (const [template, size] of sizes) if (size === tenants) templates.discard(template);
    },
  };
}

async function build(url: string, { kind, history, tenants }: FleetForm, projects: Projects): Promise<void> {
  const fleet = benchTenants(tenants);
  if (history === knexHistory)
    await runNode([TENANTCTL, 'migrate', 'master', '--json', '--quiet'], {
      cwd: projects.before.folder,
      env: tenantctlEnv(url),
    });
  else await withConnection(url, (client) => client.query(REGISTRY_SQL));
  if (kind !== 'unknown') {
    await register(url, fleet);
    await createSchemas(url, fleet, kind === 'migrated' ? migratedSchema(history) : []);
  }
  await tidyCatalogs(url);
  // tenantctl adopts the fleet as if Knex had migrated it, and writes its own records.
  if (history === knexHistory && kind === 'migrated')
    await migrateTenants({ url, folder: projects.before.folder, expect: { upToDate: tenants } });
}

/** Vacuums now, so that autovacuum does not disturb a measurement. Tenants' own tables are too small for it. */
export async function tidyCatalogs(url: string): Promise<void> {
  await withConnection(url, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `SELECT oid::regclass::text AS name FROM pg_class
       WHERE relkind = 'r' AND (relnamespace = 'pg_catalog'::regnamespace OR oid = 'tenants'::regclass)`,
    );
    await client.query(`VACUUM (ANALYZE) ${rows.map(({ name }) => name).join(', ')}`);
  });
}

export async function register(url: string, fleet: readonly BenchTenant[]): Promise<void> {
  await withConnection(url, (client) =>
    client.query(
      `INSERT INTO tenants (clerk_org_id, schema_name, status)
       SELECT organization, schema, 'ACTIVE' FROM unnest($1::text[], $2::text[]) AS fleet (organization, schema)`,
      [fleet.map(({ organization }) => organization), fleet.map(({ schema }) => schema)],
    ),
  );
}

/** A transaction locks every table, index and sequence that it creates; the server's limit is 64 × 100. */
const SCHEMAS_PER_TRANSACTION = 25;
const BUILDERS = 2;

async function createSchemas(
  url: string,
  fleet: readonly BenchTenant[],
  content: readonly string[],
): Promise<void> {
  const waiting = Array.from({ length: Math.ceil(fleet.length / SCHEMAS_PER_TRANSACTION) }, (_, index) =>
    fleet.slice(index * SCHEMAS_PER_TRANSACTION, (index + 1) * SCHEMAS_PER_TRANSACTION),
  ).values();
  const buildSome = () =>
    withConnection(url, async (client) => {
      for (const some of waiting) {
        const statements = some.flatMap(({ schema }) => [
          `CREATE SCHEMA ${schema}`,
          `SET LOCAL search_path TO ${schema}`,
          ...content,
        ]);
        await client.query(['BEGIN', ...statements, 'COMMIT'].join(';\n'));
      }
    });
  await Promise.all(Array.from({ length: BUILDERS }, buildSome));
}

function migratedSchema(history: HistoryForm): string[] {
  return [...history.create, ...INIT.flatMap(({ name, sql }) => [...sql, history.record(name, 1)])];
}
