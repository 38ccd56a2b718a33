/** What commands call in src/core. Loaded as one, while the server answers: many small files take longer. */
export { acceptEdits } from '../../core/commands/accept-edits.ts';
export { backfillTenants } from '../../core/commands/backfill-tenants.ts';
export { examineBatch } from '../../core/commands/batch-sql.ts';
export { forEachTenant } from '../../core/commands/for-each-tenant.ts';
export { grantApplication } from '../../core/commands/grant-application.ts';
export { readGrantPlan } from '../../core/commands/plan-grant.ts';
export { markMigrations, planMarking } from '../../core/commands/mark-migrations.ts';
export { migrateMaster } from '../../core/commands/migrate-master.ts';
export { migrateTenants } from '../../core/commands/migrate-tenants.ts';
export {
  rehearseAll,
  rehearseMaster,
  rehearseMasterRollback,
  rehearseTenants,
  rehearseTenantsRollback,
} from '../../core/commands/rehearse.ts';
export { rehearseSeeds, rehearseWrite } from '../../core/commands/rehearse-data-change.ts';
export { resolveInterrupted } from '../../core/commands/resolve.ts';
export { planMasterRollback, rollbackMaster } from '../../core/commands/rollback-master.ts';
export { rollbackRun, rollbackTenants } from '../../core/commands/rollback-tenants.ts';
export { seedTenants } from '../../core/commands/seed-tenants.ts';
export { sqlScript } from '../../core/commands/sql-script.ts';
export { writeTenants } from '../../core/commands/write-tenants.ts';
export { diagnose } from '../../core/doctor/diagnose.ts';
export { DUMP_HEADER, dumpSchema } from '../../core/drift/dump-schema.ts';
export { findDrift } from '../../core/drift/find-drift.ts';
export { showDrift } from '../../core/drift/show-drift.ts';
export { unifiedDiff } from '../../core/drift/unified-diff.ts';
export { fleetReport } from '../../core/fleet/fleet-report.ts';
export { fleetSnapshot } from '../../core/fleet/snapshot.ts';
export { readUsableTenants } from '../../core/fleet/usable-tenants.ts';
export { fleetStatus } from '../../core/fleet/status.ts';
export { tenantsByNode } from '../../core/fleet/tenants-by-node.ts';
export { tenantState } from '../../core/fleet/tenant-state.ts';
export { readRun, readRuns, readRunTenants } from '../../core/ledger/read-runs.ts';
export { readUndone } from '../../core/ledger/undone.ts';
export { loadHooks } from '../../core/files/load-hooks.ts';
export { refuseSkeletonsIn } from '../../core/plan/refuse-skeletons.ts';
export { queryTenants } from '../../core/query/query-tenants.ts';
export { queryTenantsInto } from '../../core/query/query-tenants-into.ts';
export { parseQuery } from '../../core/query/statement.ts';
export { assertRegistry, hasRegistryTable } from '../../core/registry/registry-shape.ts';
export { findTenants, readTenants } from '../../core/registry/registry.ts';
export { readTenantCheck } from '../../core/rollout/tenant-check.ts';
export { verifyBackup } from '../../core/backup/read-backup.ts';
export { backupTenants, backupTenantTo, planBackups } from '../../core/tenant/backup.ts';
export { compareWithBackup, isAlike } from '../../core/tenant/backup/compare-with-backup.ts';
export { adoptTenants, planAdoption } from '../../core/tenant/adopt.ts';
export { readAdoptionCandidates, splitPairs } from '../../core/tenant/adoption/adoption-candidates.ts';
export { parseAdoptions } from '../../core/tenant/adoption/parse-adoptions.ts';
export { archiveTenants, planArchive } from '../../core/tenant/archive.ts';
export { dropTenants, forgetTenants, planDrop, readDropped } from '../../core/tenant/drop.ts';
export { readBackups } from '../../core/state/backups.ts';
export { parseOrganizations } from '../../core/tenant/provision/parse-organizations.ts';
export { cloneTenant, planClone } from '../../core/tenant/clone.ts';
export { provisionTenants } from '../../core/tenant/provision.ts';
export { balanceTenants, planTenantBalance } from '../../core/tenant/balance.ts';
export { moveTenant, planMove } from '../../core/tenant/move.ts';
export { planRename, renameTenant } from '../../core/tenant/rename.ts';
export { planRestore, restoreTenant, restoreTenantFrom } from '../../core/tenant/restore.ts';
export { planUnarchive, unarchiveTenants } from '../../core/tenant/unarchive.ts';
export { resumeTenants } from '../../core/tenant/resume.ts';
export { planStatusChange, suspendTenants } from '../../core/tenant/suspend.ts';
export { destructionIn } from '../../core/statements/destruction.ts';
export { typesOfMigrations } from '../../core/types/types-of-migrations.ts';
export { typesOfTenant } from '../../core/types/types-of-tenant.ts';
