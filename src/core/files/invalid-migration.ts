import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import type { MigrationFile } from './source.ts';

/** The error of a file that is no migration. @param problem continues the file's name */
export function invalid({ name }: MigrationFile, problem: string, hint?: string, details: ErrorDetails = {}) {
  return new TenantctlError('MIGRATION_INVALID', `${name} ${problem}`, { migration: name, hint, ...details });
}
