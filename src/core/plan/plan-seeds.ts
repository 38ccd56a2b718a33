import { TenantctlError } from '../../errors.ts';
import { counted, listed, tenantOption } from '../../wording.ts';
import { findMigration } from '../files/find-migration.ts';
import { readSeedFolder, type MigrationFile } from '../files/source.ts';
import { outdatedScripts, type Script } from '../state/scripts.ts';
import { NOTHING, type Plan, type Step } from './plan.ts';

/** A seed with the checksum of its file, as it was loaded. */
export interface Seed extends Script {
  readonly file: MigrationFile;
}

/**
 * The files of the seeds in a folder in the order in which they run.
 * @param only their names, with or without extension; all if absent
 * @throws TenantctlError SEEDS_FOLDER_MISSING, SEEDS_FOLDER_EMPTY, SEED_UNKNOWN
 */
export async function readSeeds(path: string, only?: readonly string[]): Promise<readonly MigrationFile[]> {
  const folder = await readSeedFolder(path);
  if (folder.files.length === 0)
    throw new TenantctlError('SEEDS_FOLDER_EMPTY', `There are no seeds in ${folder.directory}.`, {
      hint: 'Make the first one: tenantctl make seed <name>. Or is TENANT_SEEDS_DIR another folder?',
    });
  const chosen = only && new Set(only.map((name) => findMigration(folder, name)));
  return folder.files.filter((file) => chosen?.has(file) !== false);
}

/**
 * Decides which seeds a tenant is due: those that it lacks, or has from another text of the file; none while
 * migrations are pending. Pure.
 * @param migrations what the tenant is due of the migrations
 */
export function planSeeds(
  clerkOrgId: string,
  migrations: Plan,
  seeds: readonly Seed[],
  applied: readonly Script[] | undefined,
): Plan {
  if (migrations.problem !== undefined) return migrations;
  if (migrations.steps.length > 0) return { ...NOTHING, problem: lacksMigrations(clerkOrgId, migrations) };
  const steps = outdatedScripts(seeds, applied).map(({ file, name }) => ({ file, name }));
  return { ...NOTHING, steps, warnings: migrations.warnings };
}

/** A seed is written for the newest schema. */
function lacksMigrations(tenant: string, { steps }: Plan): TenantctlError {
  const names = listed(steps.map(({ name }) => name));
  const pending = counted(steps.length, 'migration', 'is');
  return new TenantctlError(
    'TENANT_BEHIND',
    `${pending} pending, and seeds are written for the newest schema: ${names}.`,
    {
      tenant,
      migration: steps[0]?.name,
      hint: `Migrate it first: tenantctl migrate tenants ${tenantOption([tenant])}`,
    },
  );
}

/** The seeds as steps beside migrations, whose names they may have. Pure. */
export function seedSteps(seeds: readonly Seed[]): Step[] {
  return seeds.map(({ file, name }) => ({ file, name: `seeds/${name}` }));
}
