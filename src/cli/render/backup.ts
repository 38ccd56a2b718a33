import type { BackupFileDocument } from '../../core/documents/backup-document.ts';
import type { BackupComparison } from '../../core/tenant/backup/compare-with-backup.ts';
import type { Backups } from '../../core/tenant/backup/backup-result.ts';
import type { BackupPlan } from '../../core/tenant/backup.ts';
import { counted, sumOf } from '../../wording.ts';
import { bytesText } from './bytes.ts';
import { LISTED, markOf, type Look } from './look.ts';
import { renderTable } from './table.ts';

/** The files, failures apart, and the totals. */
export function renderBackups(
  { tenants, totals, notBackedUp }: Backups,
  verbose: boolean,
  look: Look,
): string {
  const made = tenants.filter(({ outcome }) => outcome === 'backed-up');
  const mark = markOf(look, { failed: false });
  const shown = made.length <= LISTED || verbose ? made : [];
  const lines = shown.map(
    ({ clerkOrgId, file, bytes, rows }) =>
      `${mark} ${clerkOrgId}: ${file ?? 'the stream'} ${look.paint.dim(`${counted(rows, 'row')}, ${bytesText(bytes)}`)}`,
  );
  const { selected, backedUp, failed, skipped, bytes } = totals;
  if (selected !== 1 || skipped > 0) {
    const sums = sumOf([
      [backedUp, `backed up (${bytesText(bytes)})`],
      [failed, 'failed'],
      [skipped, 'not started'],
    ]);
    const whole = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(
      `${whole} ${skipped > 0 ? 'Interrupted. ' : ''}${counted(selected, 'tenant')}: ${sums || 'none'}`,
    );
  }
  return [...lines, ...leftOut(notBackedUp, look)].join('\n');
}

function leftOut(notBackedUp: Backups['notBackedUp'], { paint, marks }: Look): string[] {
  const sums = Object.entries(notBackedUp).map(
    ([status, count]) => `${count} ${status || 'without a status'}`,
  );
  return sums.length === 0 ? [] : [paint.dim(`${marks.skipped} not backed up: ${sums.join(', ')}`)];
}

/** What a dry run found. */
export async function renderBackupPlan({ planned, notBackedUp }: BackupPlan, look: Look): Promise<string> {
  const rows = planned.map(({ clerkOrgId, schema, tables, rows: count, bytes }) => [
    clerkOrgId,
    schema,
    String(tables),
    count === null ? '' : `about ${count}`,
    bytes === null ? '' : bytesText(bytes),
  ]);
  const total = planned.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  return [
    ...(rows.length === 0
      ? []
      : [await renderTable(['ORGANIZATION', 'SCHEMA', 'TABLES', 'ROWS', 'SIZE'], rows, look)]),
    `${counted(planned.length, 'tenant')} would be backed up: ${bytesText(total)} on the server, indexes included.`,
    ...leftOut(notBackedUp, look),
  ].join('\n');
}

/** Width of the titles. */
const TITLE = 14;

/** A verified file, and how a tenant differs from it. */
export function renderVerified(file: BackupFileDocument, look: Look): string {
  const { comparison, migrations = [] } = file;
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Organization', file.clerkOrgId],
    ['Schema', file.schema],
    ['Status', file.status],
    ['Made', `${file.madeAt} by tenantctl ${file.tenantctl}, from PostgreSQL ${file.server}`],
    [
      'Migrations',
      `${migrations.length}${migrations.length === 0 ? '' : `, the last is ${migrations.at(-1)}`}`,
    ],
    [
      'Content',
      `${counted(file.rows ?? 0, 'row')} in ${counted(file.tables ?? 0, 'table')}, ${bytesText(file.bytes ?? 0)}`,
    ],
    ['SHA-256', file.sha256],
  ];
  return [
    `${markOf(look, { failed: false })} ${file.file} is complete and undamaged.`,
    ...facts.map(([title, value]) => `  ${title.padEnd(TITLE)}${value ?? ''}`),
    ...(comparison === undefined ? [] : renderComparison(comparison, look)),
  ].join('\n');
}

function renderComparison(comparison: BackupComparison, look: Look): string[] {
  const { clerkOrgId, migrations, shape, tables } = comparison;
  const lines = [
    ...migrations.missing.map((name) => `migration ${name} is not in its history`),
    ...migrations.extra.map((name) => `migration ${name} is not in the backup`),
    ...shape.map(({ kind, name, difference }) => `${kind} ${name} is ${difference}`),
    ...tables.map(({ table, expected, found }) => `table ${table}: ${rowsDiffer(expected, found)}`),
  ];
  if (lines.length === 0)
    return [`${markOf(look, { failed: false })} ${clerkOrgId} has the same migrations, shape and rows.`];
  const whole = `${markOf(look, { failed: true })} ${clerkOrgId} differs from the backup:`;
  return [whole, ...lines.map((line) => `  ${line}`)];
}

function rowsDiffer(expected: number | null, found: number | null): string {
  if (expected === null) return 'not in the backup';
  if (found === null) return `missing; the backup has ${counted(expected, 'row')}`;
  if (expected === found) return `${counted(found, 'row')}, some with other values`;
  return `${counted(found, 'row')}; the backup has ${expected}`;
}
