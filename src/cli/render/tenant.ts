import type { TenantState } from '../../core/fleet/tenant-state.ts';
import type { RegisteredTenant } from '../../core/registry/registry.ts';
import { resolutionHint } from '../../core/state/resolution-commands.ts';
import type { BackupRecord } from '../../core/state/backups.ts';
import { secondOf } from '../../wording.ts';
import { bytesText } from './bytes.ts';
import type { Look } from './look.ts';
import { renderTable } from './table.ts';
import { wrap } from './wrap.ts';

/** The registry, one tenant per line. @param status the status filter */
export function renderRegistry(
  tenants: readonly RegisteredTenant[],
  status: string | undefined,
  look: Look,
): string | Promise<string> {
  if (tenants.length === 0)
    return status === undefined
      ? 'No tenants yet: tenantctl tenant provision <org> creates one.'
      : `No tenants are ${status}.`;
  return renderTable(
    ['ORGANIZATION', 'SCHEMA', 'STATUS', 'CREATED (UTC)'],
    tenants.map((tenant) => [
      tenant.clerkOrgId,
      tenant.schema,
      tenant.status,
      tenant.createdAt === null ? '' : secondOf(tenant.createdAt),
    ]),
    look,
    { spare: [3] },
  );
}

/** Width of the titles. */
const TITLE = 14;

export async function renderTenant(
  state: TenantState,
  backups: readonly BackupRecord[],
  look: Look,
): Promise<string> {
  const { paint, marks } = look;
  const { tenant, history, pending, attention, lastError, interrupted, invalidIndexes } = state;
  // A hint is not wrapped: half a command could be pasted.
  const arrow = (text: string | undefined) => text && `${paint.cyan(marks.arrow)} ${text}`;
  const facts: (readonly [string, string | null | undefined])[] = [
    ['Organization', tenant.clerkOrgId],
    ['Schema', `${tenant.schema}${tenant.hasSchema ? '' : paint.red(' (missing)')}`],
    ['Owner', tenant.owner],
    ['Status', tenant.status],
    ['Created', tenant.createdAt?.toISOString() ?? ''],
    ['Updated', tenant.updatedAt?.toISOString() ?? ''],
    ['Attention', attention && paint.yellow(wrap(attention.problem, TITLE, look))],
    [
      'Interrupted',
      interrupted && `${interrupted.migration}, ${interrupted.direction === 'up' ? 'forward' : 'back'}`,
    ],
    ['', interrupted && arrow(resolutionHint(tenant, interrupted))],
    ...invalidIndexes.flatMap(({ name, table, remedy }) => [
      ['INVALID', paint.red(`the index ${name} of table ${table}`)] as const,
      ['', arrow(remedy)] as const,
    ]),
    ['Last failure', lastError && paint.red(wrap(lastError.message, TITLE, look))],
    ['', arrow(lastError?.hint)],
    ...backups.map((backup, index) => [index === 0 ? 'Backups' : '', backupLine(backup)] as const),
  ];
  const known = facts.filter((fact): fact is readonly [string, string] => typeof fact[1] === 'string');
  const migrations = [
    ...history.entries.map((entry) => [entry.name, `batch ${entry.batch}`]),
    ...pending.map((name) => [name, paint.yellow('pending')]),
  ];
  const list =
    migrations.length === 0
      ? 'No migrations yet.'
      : await renderTable(['MIGRATION', 'STATE'], migrations, look);
  const lines = known.map(
    ([title, value]) => title.padEnd(TITLE) + value.replaceAll(/\n(?! )/g, `\n${' '.repeat(TITLE)}`),
  );
  return `${lines.join('\n')}\n\n${list}`;
}

function backupLine({ file, bytes, madeAt }: BackupRecord): string {
  return `${madeAt}  ${file ?? 'to a stream'} (${bytesText(bytes)})`;
}
