import type { Tombstone } from '../../core/state/tombstones.ts';
import type { RemovalPlan } from '../../core/tenant/removal/removal-run.ts';
import type { RemovalResult, RemovalVerb } from '../../core/tenant/removal/removal-result.ts';
import { counted, listed, secondOf, sumOf } from '../../wording.ts';
import { bytesText } from './bytes.ts';
import { LISTED, markOf, type Look } from './look.ts';
import { renderTable } from './table.ts';

const DONE = {
  dropped: 'dropped',
  'already-dropped': 'dropped already; nothing was changed',
  archived: 'ARCHIVED',
  'already-archived': 'ARCHIVED already; nothing was changed',
} as const;

/** The tenants by what became of them, failures apart, and the totals. */
export function renderRemovals(results: readonly RemovalResult[], verbose: boolean, look: Look): string {
  const lines: string[] = [];
  const mark = markOf(look, { failed: false, unfinished: false });
  for (const [outcome, state] of Object.entries(DONE)) {
    const tenants = results.filter((result) => result.outcome === outcome);
    const names = listed(tenants.map(({ clerkOrgId }) => clerkOrgId));
    if (tenants.length > LISTED && !verbose)
      lines.push(`${mark} ${counted(tenants.length, 'tenant', 'is')} ${state}: ${names}`);
    else
      for (const { clerkOrgId, backupFile } of tenants)
        lines.push(
          `${mark} ${clerkOrgId} is ${state}${backupFile === undefined ? '' : `; backup: ${backupFile}`}`,
        );
  }
  const count = (...outcomes: RemovalResult['outcome'][]) =>
    results.filter((result) => outcomes.includes(result.outcome)).length;
  const [failed, skipped] = [count('failed'), count('skipped')];
  if (results.length > 1 || skipped > 0) {
    const sums = sumOf([
      [count('dropped'), 'dropped'],
      [count('archived'), 'archived'],
      [count('already-dropped', 'already-archived'), 'unchanged'],
      [failed, 'failed'],
      [skipped, 'not started'],
    ]);
    const whole = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(`${whole} ${skipped > 0 ? 'Interrupted. ' : ''}${counted(results.length, 'tenant')}: ${sums}`);
  }
  return lines.join('\n');
}

/** What a dry run found. */
export async function renderLosses(
  verb: RemovalVerb,
  { losses, results }: RemovalPlan,
  look: Look,
): Promise<string> {
  const rows = losses.map(({ clerkOrgId, schema, status, tables, estimatedRows, bytes, role }) => [
    clerkOrgId,
    schema,
    status,
    String(tables),
    estimatedRows === null ? '' : `about ${estimatedRows}`,
    bytes === null ? '' : bytesText(bytes),
    role ?? '',
  ]);
  const head = ['ORGANIZATION', 'SCHEMA', 'STATUS', 'TABLES', 'ROWS', 'SIZE', 'ROLE'];
  return [
    ...(rows.length === 0 ? [] : [await renderTable(head, rows, look)]),
    `${counted(losses.length, 'tenant')} would be ${verb === 'drop' ? 'dropped' : 'ARCHIVED'}.`,
    renderRemovals(
      results.filter(({ error }) => error === undefined),
      false,
      look,
    ),
  ]
    .filter((text) => text !== '')
    .join('\n');
}

/** The tenants that were dropped. */
export async function renderDropped(dropped: readonly Tombstone[], look: Look): Promise<string> {
  if (dropped.length === 0) return 'No dropped tenant is remembered.';
  return renderTable(
    ['ORGANIZATION', 'SCHEMA', 'DROPPED (UTC)', 'BACKUP'],
    dropped.map(({ clerkOrgId, schema, droppedAt, backupFile }) => [
      clerkOrgId,
      schema,
      secondOf(droppedAt),
      backupFile ?? '',
    ]),
    look,
  );
}
