import { TenantctlError } from '../../errors.ts';
import { listed } from '../../wording.ts';
import { findMigration } from '../files/find-migration.ts';
import { compareNames, stemOf, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import type { History } from '../target/history.ts';
import { lastBatch, NOTHING, planForward, toSteps, type ForwardOptions, type Plan } from './plan.ts';
import { problem } from './plan-problems.ts';

/** Which migrations to record as applied: one of the three. */
export interface MarkExtent {
  /** With or without extension. */
  readonly names?: readonly string[] | undefined;
  /** All up to this one, itself included. */
  readonly to?: string | undefined;
  readonly all?: boolean | undefined;
}

/** In the folder's order. @throws TenantctlError MIGRATION_UNKNOWN; USAGE unless exactly one extent is given */
export function filesToMark(
  folder: MigrationFolder,
  { names = [], to, all }: MarkExtent,
): readonly MigrationFile[] {
  if ([names.length > 0, to !== undefined, all === true].filter(Boolean).length !== 1)
    throw new TenantctlError('USAGE', 'Which migrations are there already?', {
      hint: 'Name them, or give --to <name> for all up to that one, or --all.',
    });
  if (all === true) return folder.files;
  if (to !== undefined) return folder.files.slice(0, folder.files.indexOf(findMigration(folder, to)) + 1);
  const named = new Set(names.map((name) => findMigration(folder, name)));
  return folder.files.filter((file) => named.has(file));
}

/**
 * Decides which of the files a history lacks, as the steps of one batch. A migration that would stay pending before one
 * of them is a problem, unless `allowOutOfOrder`. Pure.
 */
export function planMarks(
  folder: MigrationFolder,
  history: History,
  files: readonly MigrationFile[],
  options: Pick<ForwardOptions, 'allowOutOfOrder' | 'allowNewerHistory'>,
): Plan {
  const { problem: disagreement } = planForward(folder, history, { ...options, allowOutOfOrder: true });
  if (disagreement !== undefined) return { ...NOTHING, problem: disagreement };
  const applied = new Set(history.entries.map(({ name }) => stemOf(name)));
  const lacking = files.filter(({ stem }) => !applied.has(stem));
  const last = lacking.at(-1);
  if (last === undefined) return NOTHING;
  const gaps = folder.files.filter(
    (file) => !applied.has(file.stem) && !lacking.includes(file) && compareNames(file.name, last.name) < 0,
  );
  if (gaps.length > 0 && options.allowOutOfOrder !== true) return { ...NOTHING, problem: gap(gaps, last) };
  return { steps: toSteps(lacking), batch: lastBatch(history) + 1, warnings: [] };
}

function gap(gaps: readonly MigrationFile[], last: MigrationFile): TenantctlError {
  const names = gaps.map(({ name }) => name);
  return problem(
    'MIGRATION_OUT_OF_ORDER',
    names[0],
    `${listed(names)} would stay pending before ${last.name}, which is to be recorded as applied.`,
    `If ${names.length === 1 ? 'it is' : 'they are'} there as well: --to ${last.stem}. If not, add --allow-out-of-order, and later to migrate.`,
  );
}
