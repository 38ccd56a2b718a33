import type { AttentionCode } from '../../core/fleet/attention.ts';
import type { FleetStatus } from '../../core/fleet/status.ts';
import type { TenantState } from '../../core/fleet/tenant-state.ts';
import { unfinishedText } from '../../core/fleet/unfinished-text.ts';
import type { FleetVersion } from '../../core/fleet/versions.ts';
import { counted, listed } from '../../wording.ts';
import { bar } from './bar.ts';
import { groupByCause } from '../../core/report/causes.ts';
import { renderClassBar } from './classes.ts';
import { markOf, type Look } from './look.ts';
import { renderTable } from './table.ts';
import { wrap } from './wrap.ts';

/** Width of the titles. */
const TITLE = 9;

/** Lines for versions, and causes, before the rest is summed. */
const VERSIONS = 8;
const CAUSES = 8;
const BEHIND_CAUSES = 3;

/**
 * The master schema, the fleet by class and by version, and what needs attention.
 * @param list tenants to list one by one; by default those that need attention are grouped by cause
 */
export async function renderStatus(
  status: FleetStatus,
  list: 'none' | 'attention' | 'all',
  look: Look,
): Promise<string> {
  const { tenants, states } = status;
  const attention = states.filter((state) => state.attention !== undefined);
  const kinds = Object.entries(tenants.byStatus).map(([name, number]) => `${number} ${name}`);
  const sections = [
    ['Master', renderMaster(status.master, look)],
    [
      'Tenants',
      [
        ...renderClassBar(tenants, TITLE, look),
        ...(kinds.length > 1 ? [wrap(kinds.join(', '), TITLE, look)] : []),
      ],
    ],
    ['Nodes', renderUnfinished(status.unfinishedOnNodes, look)],
    ['Scripts', renderScripts(status.repeatable, look)],
    ['Versions', await renderVersions(status.versions, look)],
  ] as const;
  const lines = sections.flatMap(([title, [first, ...rest]]) =>
    first === undefined
      ? []
      : [look.paint.bold(title.padEnd(TITLE)) + first, ...rest.map((line) => ' '.repeat(TITLE) + line)],
  );
  const shown = list === 'all' ? states : attention;
  if (shown.length === 0) return lines.join('\n');
  const below = list === 'none' ? renderAttention(attention, look) : [await renderStates(shown, look)];
  return [...lines, '', ...below].join('\n');
}

function renderMaster({ applied, pending, problem }: FleetStatus['master'], look: Look): string[] {
  const { paint, marks } = look;
  return [
    `${counted(applied.length, 'migration')} applied, ${pending.length} pending`,
    ...pending.map((name) => `${paint.yellow('pending')} ${name}`),
    ...(problem === undefined ? [] : [`${paint.red(marks.failed)} ${wrap(problem, TITLE + 2, look)}`]),
  ];
}

function renderUnfinished(nodes: FleetStatus['unfinishedOnNodes'], look: Look): string[] {
  const { paint, marks } = look;
  return (nodes ?? []).map(
    (node) => `${paint.yellow(marks.warning)} ${wrap(unfinishedText(node), TITLE + 2, look)}`,
  );
}

function renderScripts(repeatable: FleetStatus['repeatable'], { paint }: Look): string[] {
  if (repeatable === undefined) return [];
  const { scripts, tenants } = repeatable;
  const pending = tenants === 0 ? '' : `, ${paint.yellow('pending')} in ${counted(tenants, 'tenant')}`;
  return [`${counted(scripts, 'repeatable script')}${pending}`];
}

/** A line for each version; where there are many, for those with the most tenants. */
async function renderVersions(versions: readonly FleetVersion[], look: Look): Promise<string[]> {
  const { paint, marks } = look;
  if (versions.length === 0) return [];
  const most = versions.map(({ tenants }) => tenants).toSorted((a, b) => b - a);
  const least = versions.length > VERSIONS ? (most[VERSIONS - 2] ?? 0) : 0;
  const shown = versions.filter(({ tenants }) => tenants >= least).slice(0, VERSIONS);
  const digits = String(most[0]).length;
  const rows = shown.map(({ version, tenants, pending }) => [
    String(tenants).padStart(digits),
    (pending === 0 ? paint.green : paint.yellow)(bar(tenants, most[0] ?? 0, look)),
    version ?? 'none applied',
    pending === 0 ? '' : `${pending} pending`,
  ]);
  const table = await renderTable([], rows, look, { indent: TITLE });
  const others = versions.filter((version) => !shown.includes(version));
  const number = others.reduce((sum, { tenants }) => sum + tenants, 0);
  const rest = `${marks.ellipsis} ${counted(number, 'tenant')} at ${counted(others.length, 'other version')}`;
  return [...table.split('\n'), ...(others.length > 0 ? [paint.dim(rest)] : [])];
}

const MILD: ReadonlySet<AttentionCode | undefined> = new Set(['BEHIND', 'PROVISIONING']);

/** A block for each cause with the first tenants: what is broken or failed, then the rest. */
function renderAttention(states: readonly TenantState[], look: Look): string[] {
  const { paint } = look;
  const causes = groupByCause(states, ({ tenant, attention }) => ({
    ...tenant,
    error: { code: attention?.code, message: attention?.problem ?? '' },
  }));
  const sorted = withOneForBehind(causes).toSorted(
    (one, other) =>
      Number(isMild(one.tenants[0])) - Number(isMild(other.tenants[0])) ||
      other.tenants.length - one.tenants.length,
  );
  const lines = sorted.slice(0, CAUSES).flatMap(({ message, tenants }) => {
    const [first] = tenants;
    const mark = markOf(look, { failed: !isMild(first), unfinished: true });
    const names = listed(tenants.map(({ tenant }) => tenant.clerkOrgId));
    if (tenants.length === 1)
      return `${mark} ${wrap(`${names} ${paint.dim(first?.tenant.schema)}: ${message}`, 4, look)}`;
    const title = wrap(`${counted(tenants.length, 'tenant')}: ${message}`, 4, look);
    return [`${mark} ${title}`, `    ${paint.dim(wrap(names, 4, look))}`];
  });
  const others = sorted.slice(CAUSES).flatMap(({ tenants }) => tenants).length;
  if (others > 0) lines.push(`  and ${counted(others, 'tenant')} for other reasons`);
  if (others > 0 || sorted.some(({ tenants }) => tenants.length > 1))
    lines.push(paint.dim('tenantctl status --verbose lists each of them; --all lists every tenant.'));
  return lines;
}

interface Cause {
  readonly message: string;
  readonly tenants: readonly TenantState[];
}

/** Tenants at many versions of this folder are behind for one reason: the versions are listed above. */
function withOneForBehind(causes: readonly Cause[]): readonly Cause[] {
  const isBehind = ({ tenants: [first] }: Cause) =>
    first?.attention?.code === 'BEHIND' && first.lacks.length === 0;
  const tenants = causes.filter(isBehind).flatMap((cause) => cause.tenants);
  if (causes.filter(isBehind).length <= BEHIND_CAUSES) return causes;
  const pending = tenants.map((state) => state.pending.length).toSorted((a, b) => a - b);
  const message = `${pending[0]} to ${counted(pending.at(-1) ?? 0, 'migration')} behind`;
  return [...causes.filter((cause) => !isBehind(cause)), { message, tenants }];
}

function isMild(state: TenantState | undefined): boolean {
  return MILD.has(state?.attention?.code);
}

function renderStates(states: readonly TenantState[], look: Look): Promise<string> {
  const { paint } = look;
  const rows = states.map((state) => {
    const { tenant, applied, pending, attention } = state;
    const color = attention === undefined ? paint.green : isMild(state) ? paint.yellow : paint.red;
    return [
      tenant.clerkOrgId,
      tenant.schema,
      String(applied.length),
      String(pending.length),
      color(stateInWords(state)),
    ];
  });
  const head = ['ORGANIZATION', 'SCHEMA', 'APPLIED', 'PENDING', 'STATE'];
  return renderTable(head, rows, look, { spare: [2, 1] });
}

/** What the other columns do not say. */
function stateInWords({ attention, pending, lacks, tenant, ...state }: TenantState): string {
  const from = pending[0] ?? lacks[0];
  if (attention?.code === 'BEHIND' && from !== undefined) return `behind, from ${from}`;
  return attention?.problem ?? (state.class === 'upToDate' ? 'up to date' : tenant.status);
}
