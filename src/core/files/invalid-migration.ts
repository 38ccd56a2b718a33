import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import type { MigrationFile } from './source.ts';

/** The error of a file that is no migration or no seed. @param problem continues the file's name */
export function invalid(
  { name, kind }: MigrationFile,
  problem: string,
  hint?: string,
  details: ErrorDetails = {},
): TenantctlError {
  const code = kind === 'seed' ? 'SEED_INVALID' : 'MIGRATION_INVALID';
  return new TenantctlError(code, `${name} ${problem}`, { migration: name, hint, ...details });
}
