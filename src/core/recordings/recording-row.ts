import type { Database } from '../../db/database.ts';
import type { CodeFile } from '../code/code-files.ts';
import { checksumOf, type MigrationFile } from '../files/source.ts';
import type { KeptRecording, Shown, ShownRecording } from './shown.ts';
import type { KeptRow, NewRow } from './rows.ts';
import type { AreUnchanged } from './sources.ts';

/** A larger recording costs more to read than to make. */
const MOST_CHARACTERS = 1_000_000;

/** So many tenants in a row that are sent something else each: the next one will be, too. */
const MOST_DIFFERING = 2;

/** The content of a row, in JSON. */
interface Body extends Pick<KeptRecording, 'shown' | 'checksum'> {
  /** All files that decide about it. */
  readonly sources: readonly CodeFile[];
  /** How many tenants were sent something else than the one before. */
  readonly differing: number;
}

/** A row that is valid, usable or not. */
export interface FoundRecording extends KeptRecording, Pick<Body, 'differing'> {
  readonly witness: string;
  readonly isUsable: boolean;
}

/** @returns undefined if the row is not as it was written, or a file has changed since */
export function recordingOf(
  file: MigrationFile,
  { content, witness, isUsable }: KeptRow,
  areUnchanged: AreUnchanged,
): FoundRecording | undefined {
  if (content === undefined) return undefined;
  const { sources, ...rest } = content.body as Body;
  if (!areUnchanged(file, sources)) return undefined;
  return { ...rest, limits: content.limits, witness, isUsable };
}

/**
 * The row for what a migration sent. Code that may send something else next time, a secret, and what every tenant
 * answers differently are not copied: the row says that Knex runs the migration.
 * @param earlier the valid row for it
 * @returns undefined if nothing is to be stored
 */
export function rowFor(
  recording: ShownRecording,
  key: string,
  earlier: FoundRecording | undefined,
  { conceal }: Pick<Database, 'conceal'>,
): NewRow | undefined {
  const { migration, verdict, witness } = recording;
  const { file, checksum } = migration;
  const isSql = file.format === 'sql';
  // The process may have run other code than the files contain.
  if (!isSql && verdict.kind === 'changed') return undefined;
  // It may have changed since it was loaded.
  if (checksumOf(file) !== checksum) return undefined;
  const before = earlier?.differing ?? 0;
  const differing = differs(recording, earlier) ? (earlier?.isUsable === true ? 1 : before + 1) : before;
  const isUsable = recording.isUsable || (recording.isCertain && differing === 0);
  const interactive = whyNot(recording, differing, conceal);
  if (interactive === undefined && !isUsable && earlier !== undefined && 'interactive' in earlier.shown)
    return undefined;
  const { needsCommit } = recording;
  const shown: Shown =
    interactive === undefined || 'interactive' in recording.shown
      ? recording.shown
      : { interactive, needsCommit };
  const body: Body = { sources: verdict.files, checksum, shown, differing };
  return {
    stem: file.stem,
    key,
    body: JSON.stringify(body),
    limits: JSON.stringify(recording.limits),
    witness,
    isUsable: isUsable || interactive !== undefined,
  };
}

function differs({ shown, witness }: ShownRecording, earlier: FoundRecording | undefined): boolean {
  return (
    earlier !== undefined &&
    earlier.witness !== witness &&
    JSON.stringify(earlier.shown) !== JSON.stringify(shown)
  );
}

/** Why what was sent is not to be sent again. */
function whyNot(
  { shown, isUsable }: ShownRecording,
  differing: number,
  conceal: (text: string) => string,
): string | undefined {
  if ('interactive' in shown) return shown.interactive;
  if (!isUsable && differing >= MOST_DIFFERING) return 'tenants answer it differently';
  if (shown.pieces.some(({ text }) => conceal(text) !== text)) return 'it may hold a secret';
  const length = shown.pieces.reduce((sum, { text }) => sum + text.length, 0);
  return length > MOST_CHARACTERS ? 'it is too large to be kept' : undefined;
}
