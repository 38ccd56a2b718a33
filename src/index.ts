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
export type {
  Database,
  DatabaseSettings,
  EmbeddedSettings,
  PoolOptions,
  ServerSettings,
} from './db/connection.ts';

// Names
export {
  MAX_ORGANIZATION_ID_LENGTH,
  TENANT_SCHEMA_PATTERN,
  assertOrganizationId,
  schemaNameFor,
} from './core/schema-name.ts';
export { STATUSES, type TenantStatus } from './core/tenant-status.ts';

// The registry
export {
  assertRegistry,
  readTenants,
  selectTenants,
  type RegisteredTenant,
  type Tenant,
} from './core/registry.ts';

// Provisioning
export {
  provisionTenant,
  provisionTenants,
  type ProvisionOptions,
  type ProvisionResult,
} from './core/provision.ts';

// Migrations, forward and back
export {
  migrateMaster,
  type MasterOptions,
  type MasterResult,
  type MigrateMasterOptions,
} from './core/master.ts';
export { rollbackMaster, type RollbackMasterOptions } from './core/rollback-master.ts';
export { migrateTenants, type MigrateTenantsOptions } from './core/migrate-tenants.ts';
export type { RolloutOptions } from './core/rollout/options.ts';
export type { RolloutResult, RolloutStop, Stage, StageResult } from './core/rollout/rollout-result.ts';
export type { Share } from './core/rollout/share.ts';
export { readTenantCheck, type TenantCheck } from './core/rollout/tenant-check.ts';
export { rollbackRun, rollbackTenants, type RollbackTenantsOptions } from './core/rollback-tenants.ts';
export type { FleetResult, TenantOutcome, TenantResult } from './core/results.ts';
export type { Standing } from './core/standing.ts';
export type { EngineOptions } from './core/engine.ts';
export type { Concurrency } from './core/lanes.ts';
export type { Selection } from './core/select-fleet.ts';
export type { Observer, RunEvent } from './core/observer.ts';
export type { VectorExtensionMode } from './core/vector-extension.ts';

// Migrations outside a transaction whose command was killed
export { resolveInterrupted, type Resolution, type ResolveOptions } from './core/resolve.ts';
export type { ResolutionCommands } from './core/resolution-commands.ts';

// What was done: the ledger of runs
export {
  readRun,
  readRuns,
  readRunTenants,
  type ReadRunsOptions,
  type Run,
  type RunOutcome,
  type RunTenant,
} from './core/runs/read-runs.ts';
export {
  runDocument,
  runTenantDocument,
  type RunDocument,
  type RunTenantDocument,
} from './core/runs/run-document.ts';

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
} from './core/rehearse.ts';

// How things stand
export {
  fleetStatus,
  tenantState,
  type AttentionCode,
  type FleetStatus,
  type Interruption,
  type StatusOptions,
  type TenantState,
} from './core/status.ts';
export { readCapacity, type Capacity } from './core/capacity.ts';

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
} from './core/migrations/make.ts';
export { initProject, type InitOptions, type InitResult } from './core/init.ts';

// The JSON documents of the commands (docs/json.md)
export {
  REHEARSAL_NOTE,
  fleetDocument,
  masterDocument,
  provisionDocument,
  registryDocument,
  rehearsalDocument,
  resolutionDocument,
  statusDocument,
  tenantStateDocument,
  type DocumentBase,
  type FleetDocument,
  type MasterDocument,
  type ProvisionDocument,
  type RegistryDocument,
  type InterruptionDocument,
  type RehearsalDocument,
  type ResolutionDocument,
  type StatusDocument,
  type TenantRunDocument,
  type TenantStateDocument,
} from './core/documents.ts';

// Errors
export {
  TenantctlError,
  type Blocker,
  type ErrorCode,
  type ErrorDetails,
  type ErrorReport,
  type InvalidIndex,
} from './errors.ts';
