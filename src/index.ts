/**
 * tenantctl as a library: what its commands are made of. Everything takes an open database and typed options, returns
 * data, and throws TenantctlError; nothing here reads the environment, prints, or ends the process.
 *
 * ```ts
 * import { openDatabase, provisionTenant } from 'tenantctl';
 *
 * const database = await openDatabase(
 *   { kind: 'server', host, port: 5432, user, password, database: name, ssl: false, connectTimeoutMs: 10_000 },
 *   { maxConnections: 5 },
 * );
 * await provisionTenant(database, 'org_2abc123def456', { folder: 'migrations/tenants' });
 * await database.close();
 * ```
 */

// The database. Whoever opens it closes it; an application opens it once, at its start.
export { openDatabase, withDatabase } from './db/open.ts';
// Names
export {
  MAX_ORGANIZATION_ID_LENGTH,
  TENANT_SCHEMA_PATTERN,
  assertOrganizationId,
  schemaNameFor,
} from './core/registry/schema-name.ts';
export { DEFAULT_NAMES, STATUSES, type Names, type TenantStatus } from './names.ts';

// The registry
export { assertRegistry, type RegistryShape } from './core/registry/registry-shape.ts';
export { readTenants, selectTenants, type RegisteredTenant, type Tenant } from './core/registry/registry.ts';

// Provisioning
export {
  provisionTenant,
  provisionTenants,
  type ProvisionOptions,
  type ProvisionResult,
} from './core/tenant/provision.ts';

// Migrations, forward and back
export {
  migrateMaster,
  type MasterOptions,
  type MasterResult,
  type MigrateMasterOptions,
} from './core/commands/migrate-master.ts';
export { rollbackMaster, type RollbackMasterOptions } from './core/commands/rollback-master.ts';
export { migrateTenants, type MigrateTenantsOptions } from './core/commands/migrate-tenants.ts';
export type { RolloutOptions } from './core/rollout/options.ts';
export type { RolloutResult, RolloutStop, Stage, StageResult } from './core/report/rollout-result.ts';
export type { Share } from './core/rollout/share.ts';
export { readTenantCheck, type TenantCheck } from './core/rollout/tenant-check.ts';
export {
  rollbackRun,
  rollbackTenants,
  type RollbackTenantsOptions,
} from './core/commands/rollback-tenants.ts';
export type { FleetResult, TenantOutcome, TenantResult } from './core/report/results.ts';
export type { ClassCounts, TenantClass } from './core/report/class-counts.ts';
export type { RunOptions } from './core/run/run-context.ts';
export type { Concurrency } from './core/run/lanes.ts';
export type { Selection } from './core/fleet/select-fleet.ts';
export type { Observer, RunEvent } from './core/report/event.ts';
export type { VectorExtensionMode } from './core/run/vector-extension.ts';

// Migrations outside a transaction whose command was killed
export { resolveInterrupted, type Resolution, type ResolveOptions } from './core/commands/resolve.ts';
export type { ResolutionCommands } from './core/state/resolution-commands.ts';

// What was done: the ledger of runs
export {
  readRun,
  readRuns,
  readRunTenants,
  type ReadRunsOptions,
  type Run,
  type RunOutcome,
  type RunTenant,
} from './core/ledger/read-runs.ts';
export {
  runDocument,
  runTenantDocument,
  type RunDocument,
  type RunTenantDocument,
} from './core/documents/run-document.ts';

// What it would do: the dry run
export {
  rehearseAll,
  rehearseMaster,
  rehearseMasterRollback,
  rehearseTenants,
  rehearseTenantsRollback,
  statementText,
  type RehearsedMigration,
  type RehearsedPlan,
  type Rehearsal,
} from './core/commands/rehearse.ts';

// One query in every tenant
export {
  queryTenants,
  type QueryTenantsOptions,
  type QueryTenantsResult,
  type TenantAnswer,
  type TenantRows,
} from './core/query/query-tenants.ts';
export { jsonValue } from './db/json-value.ts';
export type { Column } from './db/read-pages.ts';

// How things stand
export {
  fleetStatus,
  tenantState,
  type FleetStatus,
  type StatusOptions,
  type TenantState,
} from './core/fleet/status.ts';
export { readCapacity, type Capacity } from './core/run/capacity.ts';

// What has to be right before a run: the doctor
export { diagnose } from './core/doctor/diagnose.ts';
export type { Diagnosis } from './core/doctor/diagnosis.ts';
export type { Check, CheckStatus } from './core/doctor/check.ts';
export type { DiagnoseOptions } from './core/doctor/facts.ts';

// Files
export {
  makeMigration,
  type MadeMigration,
  type MakeOptions,
  type MigrationFormat,
} from './core/files/make.ts';
export { initProject, type InitOptions, type InitResult } from './core/files/scaffold.ts';

// The JSON documents of the commands (docs/json.md)
export { type DocumentBase } from './core/documents/document.ts';

// Errors
export {
  TenantctlError,
  type Blocker,
  type ErrorCode,
  type ErrorDetails,
  type ErrorReport,
  type InvalidIndex,
} from './errors.ts';
export {
  fleetDocument,
  masterDocument,
  provisionDocument,
  type FleetDocument,
  type MasterDocument,
  type ProvisionDocument,
  type TenantRunDocument,
} from './core/documents/fleet-document.ts';
export {
  registryDocument,
  resolutionDocument,
  statusDocument,
  tenantStateDocument,
  type RegistryDocument,
  type InterruptionDocument,
  type ResolutionDocument,
  type StatusDocument,
  type TenantStateDocument,
} from './core/documents/status-document.ts';
export {
  REHEARSAL_NOTE,
  rehearsalDocument,
  type RehearsalDocument,
} from './core/documents/rehearsal-document.ts';
export type { AttentionCode, Interruption } from './core/fleet/attention.ts';
export type {
  Database,
  DatabaseSettings,
  EmbeddedSettings,
  PoolOptions,
  ServerSettings,
} from './db/database.ts';
