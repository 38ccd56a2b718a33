import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import type { MigrationFile } from './source.ts';

const CODES = { migration: 'MIGRATION_INVALID', seed: 'SEED_INVALID', hook: 'HOOKS_INVALID' } as const;

/** The error of a file that is no migration, no seed or no file of hooks. @param problem continues the file's name */
export function invalid(
  { name, kind }: MigrationFile,
  problem: string,
  hint?: string,
  details: ErrorDetails = {},
): TenantctlError {
  return new TenantctlError(CODES[kind ?? 'migration'], `${name} ${problem}`, {
    migration: name,
    hint,
    ...details,
  });
}
