/**
 * tenantctl as a library: the functions behind its commands. They take an open database and typed options,
 * return data and throw TenantctlError; they never read the environment, print or exit.
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

// The database. The caller closes it; an application opens it once, at startup.
export { openDatabase, withDatabase } from './db/open.ts';
export type {
  Database,
  DatabaseSettings,
  EmbeddedSettings,
  PoolOptions,
  ServerSettings,
} from './db/database.ts';

// Names
export {
  MAX_ORGANIZATION_ID_LENGTH,
  TENANT_SCHEMA_PATTERN,
  assertOrganizationId,
  schemaNameFor,
} from './core/registry/schema-name.ts';
export { DEFAULT_NAMES, STATUSES, type IncludedStatus, type Names, type TenantStatus } from './names.ts';

// The registry
export { assertRegistry, type RegistryShape } from './core/registry/registry-shape.ts';
export { readTenants, selectTenants, type RegisteredTenant, type Tenant } from './core/registry/registry.ts';

// Provisioning
export { provisionTenant, provisionTenants } from './core/tenant/provision.ts';
export type { ProvisionOptions } from './core/tenant/provision.ts';
export { parseOrganizations, type OrganizationList } from './core/tenant/provision/parse-organizations.ts';
export type { BadLine } from './core/tenant/common/parse-table.ts';
export { openProvisioner } from './core/tenant/provisioner.ts';
export type { ProvisionCallOptions, Provisioner, ProvisionerOptions } from './core/tenant/provisioner.ts';

// Seeds
export { seedTenants, type SeedTenantsOptions } from './core/commands/seed-tenants.ts';

// Suspending and resuming
export { resumeTenant, resumeTenants, type ResumeOptions } from './core/tenant/resume.ts';
export {
  planStatusChange,
  suspendTenant,
  suspendTenants,
  type SuspendOptions,
} from './core/tenant/suspend.ts';
export type { StatusChangeResult, StatusChanges } from './core/tenant/status/status-change-result.ts';

// Adopting schemas that the registry does not have
export { adoptTenants, planAdoption } from './core/tenant/adopt.ts';
export type { AdoptionResult, Adoptions, AdoptOptions } from './core/tenant/adopt.ts';
export {
  readAdoptionCandidates,
  type AdoptionCandidates,
  type Candidate,
} from './core/tenant/adoption/adoption-candidates.ts';
export { parseAdoptions, type AdoptionMap } from './core/tenant/adoption/parse-adoptions.ts';
export type { TenantNames } from './names.ts';

// Archiving and dropping
export { archiveTenant, archiveTenants, planArchive, type ArchiveOptions } from './core/tenant/archive.ts';
export {
  dropTenant,
  dropTenants,
  forgetTenants,
  planDrop,
  readDropped,
  type DropOptions,
} from './core/tenant/drop.ts';
export type { Loss } from './core/tenant/common/losses.ts';
export type { RemovalResult, Removals } from './core/tenant/removal/removal-result.ts';
export type { Tombstone } from './core/state/tombstones.ts';

// Renaming
export { planRename, renameTenant, type RenameOptions, type RenameResult } from './core/tenant/rename.ts';
export type { StaleObject } from './core/tenant/rename/rename-schema.ts';

// Moving tenants between the nodes of a cluster
export {
  balanceDocument,
  balancePlanDocument,
  type BalanceDocument,
  type BalancePlanDocument,
} from './core/documents/balance-document.ts';
export { movedDocument, type MovedDocument } from './core/documents/move-document.ts';
export { nodesDocument, type NodesDocument } from './core/documents/nodes-document.ts';
export { tenantsByNode, type NodeTenants, type TenantsByNode } from './core/fleet/tenants-by-node.ts';
export {
  balanceTenants,
  planTenantBalance,
  type Balance,
  type BalancedNode,
  type BalanceOptions,
  type BalancePlan,
  type BalanceResult,
} from './core/tenant/balance.ts';
export { moveTenant, planMove, type MoveOptions, type MoveResult } from './core/tenant/move.ts';

// Restoring
export {
  planRestore,
  restoreTenant,
  restoreTenantFrom,
  type RestoreOptions,
  type RestorePlan,
} from './core/tenant/restore.ts';
export type { RestoreResult } from './core/tenant/restore/restore-result.ts';
export {
  planUnarchive,
  unarchiveTenants,
  type Unarchived,
  type UnarchiveOptions,
} from './core/tenant/unarchive.ts';

// Cloning
export { cloneTenant, planClone, type ClonePlan, type CloneResult } from './core/tenant/clone.ts';
export type { CloneOptions } from './core/tenant/clone/clone-options.ts';
export type { Mask, MaskRule } from './core/content/mask.ts';

// Backups
export {
  backupTenants,
  backupTenantTo,
  planBackups,
  type BackupOptions,
  type BackupPlan,
  type PlannedBackup,
} from './core/tenant/backup.ts';
export type { BackupResult, Backups } from './core/tenant/backup/backup-result.ts';
export { verifyBackup, type BackupInput, type VerifiedBackup } from './core/backup/read-backup.ts';
export type { BackupRecord } from './core/state/backups.ts';
export type { Manifest } from './core/backup/manifest.ts';
export {
  compareWithBackup,
  isAlike,
  type BackupComparison,
  type TableDifference,
} from './core/tenant/backup/compare-with-backup.ts';
export {
  backupFileDocument,
  backupPlanDocument,
  backupsDocument,
  type BackupFileDocument,
  type BackupPlanDocument,
  type BackupsDocument,
} from './core/documents/backup-document.ts';

// Hooks: functions that a project has called around the work on each tenant
export type { HookCall, HookName, TenantHook, TenantHooks } from './core/files/load-hooks.ts';
export type { HooksOption } from './core/commands/in-run.ts';

// The rights of an application's role
export { grantApplication } from './core/commands/grant-application.ts';
export type {
  GrantApplicationOptions,
  GrantApplicationResult,
  TenantGrant,
} from './core/commands/grant-application.ts';
export { readGrantPlan, type GrantPlan } from './core/commands/plan-grant.ts';

// Migrations, forward and back
export { migrateMaster } from './core/commands/migrate-master.ts';
export type { MasterOptions, MasterResult, MigrateMasterOptions } from './core/commands/migrate-master.ts';
export { rollbackMaster } from './core/commands/rollback-master.ts';
export type { MasterLoss, RollbackMasterOptions } from './core/commands/rollback-master.ts';
export type { Confirm } from './core/commands/confirmed.ts';
export { migrateTenants, type MigrateTenantsOptions } from './core/commands/migrate-tenants.ts';
export type { RolloutResult, RolloutStop, Stage, StageResult } from './core/report/rollout-result.ts';
export type { RolloutOptions, Share } from './core/rollout/options.ts';
export { readTenantCheck, type TenantCheck } from './core/rollout/tenant-check.ts';
export { rollbackRun, rollbackTenants } from './core/commands/rollback-tenants.ts';
export type { RollbackTenantsOptions } from './core/commands/rollback-tenants.ts';
export type { FleetResult, TenantOutcome, TenantResult } from './core/report/results.ts';
export type { ClassCounts, TenantClass } from './core/report/class-counts.ts';
export type { RunOptions } from './core/run/run-context.ts';
export type { Concurrency } from './core/run/lanes.ts';
export type { Selection } from './core/fleet/select-fleet.ts';
export type { Observer, RunEvent } from './core/report/event.ts';
export type { VectorExtensionMode } from './core/install/vector-extension.ts';

// Migration files that were edited after they were applied
export { acceptEdits, type AcceptedEdit, type AcceptEditsOptions } from './core/commands/accept-edits.ts';

// Migrations that schemas have already
export { markMigrations, planMarking } from './core/commands/mark-migrations.ts';
export type { MarkOptions, MarkResult, Marks } from './core/commands/mark-migrations.ts';

// Interrupted migrations outside a transaction
export { resolveInterrupted, type Resolution, type ResolveOptions } from './core/commands/resolve.ts';
export type { ResolutionCommands } from './core/state/resolution-commands.ts';

// The ledger of runs
export { readRun, readRuns, readRunTenants } from './core/ledger/read-runs.ts';
export { readUndone, type Undone } from './core/ledger/undone.ts';
export type { ReadRunsOptions, Run, RunOutcome, RunTenant } from './core/ledger/read-runs.ts';

// Dry runs
export {
  rehearseAll,
  rehearseMaster,
  rehearseMasterRollback,
  rehearseTenants,
  rehearseTenantsRollback,
} from './core/commands/rehearse.ts';
export { statementText } from './core/commands/try-plan.ts';
export type { Rehearsal } from './core/commands/rehearse.ts';
export type { RehearsedMigration, RehearsedPlan } from './core/commands/try-plan.ts';

// One query in every tenant
export { queryTenants } from './core/query/query-tenants.ts';
export type {
  QueryTenantsOptions,
  QueryTenantsResult,
  TenantAnswer,
  TenantRows,
} from './core/query/query-tenants.ts';
export { jsonValue } from './db/json-value.ts';
export type { Column } from './db/read-pages.ts';
export { queryTenantsInto } from './core/query/query-tenants-into.ts';
export type { QueryTenantsIntoOptions, QueryTenantsIntoResult } from './core/query/query-tenants-into.ts';

// A function for every tenant
export { forEachTenant } from './core/commands/for-each-tenant.ts';
export type {
  ForEachTenantOptions,
  ForEachTenantResult,
  VisitedTenant,
} from './core/commands/for-each-tenant.ts';

// SQL that writes, in every tenant
export { writeTenants, type WriteTenantsOptions } from './core/commands/write-tenants.ts';
export { backfillTenants } from './core/commands/backfill-tenants.ts';
export type { BackfillResult, BackfillTenantsOptions } from './core/commands/backfill-tenants.ts';
export { rehearseSeeds, rehearseWrite } from './core/commands/rehearse-data-change.ts';

// TypeScript types of a tenant's tables and of the shared ones
export { typesOfMigrations, type TypesOfMigrationsOptions } from './core/types/types-of-migrations.ts';
export { typesOfTenant } from './core/types/types-of-tenant.ts';

// Tenants whose schema differs from what the migrations make
export { findDrift, type Drift, type DriftOptions } from './core/drift/find-drift.ts';
export { showDrift, type TenantDrift } from './core/drift/show-drift.ts';
export { dumpSchema, type DumpOptions } from './core/drift/dump-schema.ts';
export type { Cohort, Lead } from './core/drift/cohort.ts';
export type { ShapeDifference } from './core/shape/compare-shapes.ts';

// The state of the fleet
export { fleetStatus } from './core/fleet/status.ts';
export { fleetSnapshot, type FleetSnapshot, type SnapshotOptions } from './core/fleet/snapshot.ts';
export type { FleetStatus, StatusOptions } from './core/fleet/status.ts';
export { fleetReport } from './core/fleet/fleet-report.ts';
export type {
  FleetReport,
  ReportedRun,
  ReportedTenant,
  ReportOptions,
  RunCause,
} from './core/fleet/fleet-report.ts';
export type { LongestWork } from './core/ledger/longest-work.ts';
export { tenantState } from './core/fleet/tenant-state.ts';
export type { TenantState } from './core/fleet/tenant-state.ts';
export type { FleetVersion } from './core/fleet/versions.ts';
export type { Attention, AttentionCode, Interruption } from './core/fleet/attention.ts';
export { readCapacity, type Capacity } from './core/run/capacity.ts';

// The doctor
export { diagnose, type Diagnosis } from './core/doctor/diagnose.ts';
export type { Check, CheckStatus } from './core/doctor/check.ts';
export type { DiagnoseOptions } from './core/doctor/facts.ts';

// Files
export { makeMigration } from './core/files/make.ts';
export type { MadeMigration, MakeOptions, MigrationFormat } from './core/files/make.ts';
export { initProject, type InitOptions, type InitResult } from './core/files/scaffold.ts';

// The JSON documents of the commands (docs/json.md)
export type { DocumentBase } from './core/documents/document.ts';
export { driftDocument, type CohortDocument, type DriftDocument } from './core/documents/drift-document.ts';
export { fleetDocument, masterDocument, provisionDocument } from './core/documents/migrate-document.ts';
export type {
  FleetDocument,
  MasterDocument,
  ProvisionDocument,
  TenantRunDocument,
} from './core/documents/migrate-document.ts';
export {
  registryDocument,
  resolutionDocument,
  snapshotDocument,
  statusDocument,
  tenantStateDocument,
} from './core/documents/status-document.ts';
export type {
  RegistryDocument,
  InterruptionDocument,
  ResolutionDocument,
  SnapshotDocument,
  StatusDocument,
  TenantStateDocument,
} from './core/documents/status-document.ts';
export {
  grantDocument,
  plannedGrantDocument,
  type GrantDocument,
  type PlannedGrantDocument,
} from './core/documents/grant-document.ts';
export {
  restoreDocument,
  restorePlanDocument,
  type RestoreDocument,
  type RestorePlanDocument,
} from './core/documents/restore-document.ts';
export { writeDocument, type WriteDocument } from './core/documents/write-document.ts';
export {
  plannedStatusDocument,
  statusChangesDocument,
  type StatusChangesDocument,
} from './core/documents/status-change-document.ts';
export {
  marksDocument,
  plannedMarksDocument,
  type MarksDocument,
  type PlannedMarksDocument,
} from './core/documents/mark-document.ts';
export { adoptionDocument, type AdoptionDocument } from './core/documents/adoption-document.ts';
export {
  cloneDocument,
  plannedCloneDocument,
  type CloneDocument,
  type PlannedCloneDocument,
} from './core/documents/clone-document.ts';
export {
  plannedRenameDocument,
  renameDocument,
  type PlannedRenameDocument,
  type RenameDocument,
} from './core/documents/rename-document.ts';
export {
  droppedDocument,
  plannedRemovalsDocument,
  removalsDocument,
  type DroppedDocument,
  type PlannedRemovalsDocument,
  type RemovalsDocument,
} from './core/documents/removal-document.ts';
export { seedDocument } from './core/documents/seed-document.ts';
export type { SeedDocument, SeededTenantDocument } from './core/documents/seed-document.ts';
export { REHEARSAL_NOTE, rehearsalDocument } from './core/documents/rehearsal-document.ts';
export type { RehearsalDocument } from './core/documents/rehearsal-document.ts';
export {
  reportDocument,
  type ReportDocument,
  type ReportRunDocument,
  type ReportTenantDocument,
} from './core/documents/report-document.ts';
export { runDocument, runTenantDocument } from './core/documents/run-document.ts';
export type { RunDocument, RunTenantDocument } from './core/documents/run-document.ts';

// Errors
export { TenantctlError } from './errors.ts';
export type { ErrorCode } from './error-code.ts';
export type { Blocker, ErrorDetails, ErrorReport, InvalidIndex } from './errors.ts';
export type { ProvisionResult } from './core/tenant/provision/provision-result.ts';
