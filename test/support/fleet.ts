import { migrateTenants, type MigrateTenantsOptions } from '../../src/core/commands/migrate-tenants.ts';
import { provisionTenants } from '../../src/core/tenant/provision.ts';
import type { FleetResult } from '../../src/core/report/results.ts';
import { rollbackTenants, type RollbackTenantsOptions } from '../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { fleetStatus, type FleetStatus, type StatusOptions } from '../../src/core/fleet/status.ts';
import { createDatabase, type TestServerDatabase } from './database.ts';
import { fleetTemplate } from './fleet-template.ts';
import { usualProject, type TestProject } from './project.ts';
import type { Database } from '../../src/db/database.ts';
import type { ProvisionResult } from '../../src/core/tenant/provision/provision-result.ts';

/** A database with a registry and provisioned tenants, and its migration project. */
export interface TestFleet {
  readonly testDatabase: TestServerDatabase;
  readonly database: Database;
  readonly project: TestProject;
  readonly query: TestServerDatabase['query'];
  add(name: string, text: string): Promise<void>;
  migrate(options?: Partial<MigrateTenantsOptions>): Promise<FleetResult>;
  rollback(options?: Partial<RollbackTenantsOptions>): Promise<FleetResult>;
  provision(...organizations: string[]): Promise<ProvisionResult[]>;
  status(options?: Partial<StatusOptions>): Promise<FleetStatus>;
  /** "name@batch" of each history row, oldest first. */
  history(organization: string): Promise<string[]>;
  /** A tenant's tables, without Knex's. */
  tables(organization: string): Promise<string[]>;
}

export interface FleetOptions {
  readonly project?: TestProject;
  readonly maxConnections?: number;
}

/** Provisions these organizations in a new database, by default with the usual project. */
export async function createFleet(
  organizations: readonly string[],
  options: FleetOptions = {},
): Promise<TestFleet> {
  const project = options.project ?? (await usualProject());
  const testDatabase = await createDatabase((server) => fleetTemplate(server, organizations, project));
  return fleetOn(testDatabase, await testDatabase.open(options.maxConnections ?? 6), project);
}

/** The same handles for an existing database. */
export function fleetOn(
  testDatabase: TestServerDatabase,
  database: Database,
  project: TestProject,
): TestFleet {
  return {
    testDatabase,
    database,
    project,
    query: (text, values) => testDatabase.query(text, values),
    add: (name, text) => project.write(`migrations/tenants/${name}`, text),
    migrate: (options) =>
      migrateTenants(database, { folder: project.tenants, masterFolder: project.master, ...options }),
    rollback: (options) => rollbackTenants(database, { folder: project.tenants, ...options }),
    provision: (...ids) => provisionTenants(database, ids, { folder: project.tenants }),
    status: (options) =>
      fleetStatus(database, { masterFolder: project.master, tenantFolder: project.tenants, ...options }),
    async history(organization) {
      const rows = await testDatabase.query<{ name: string; batch: number }>(
        `SELECT name, batch FROM ${schemaNameFor(organization)}.knex_migrations_tenant ORDER BY id`,
      );
      return rows.map((row) => `${row.name}@${row.batch}`);
    },
    async tables(organization) {
      const rows = await testDatabase.query<{ name: string }>(
        `SELECT tablename AS name FROM pg_tables
         WHERE schemaname = $1 AND tablename NOT LIKE 'knex_migrations%' ORDER BY 1`,
        [schemaNameFor(organization)],
      );
      return rows.map((row) => row.name);
    },
  };
}

/** One tenant's result; fails the test if missing. */
export function resultOf(result: FleetResult, organization: string): FleetResult['tenants'][number] {
  const found = result.tenants.find((tenant) => tenant.clerkOrgId === organization);
  if (found === undefined) throw new Error(`The result says nothing about ${organization}.`);
  return found;
}
