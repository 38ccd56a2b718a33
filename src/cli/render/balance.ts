import type {
  Balance,
  BalancedNode,
  BalancePlan,
  BalanceResult,
  NodeLoad,
} from '../../core/tenant/balance.ts';
import { counted, sumOf } from '../../wording.ts';
import { bytesText } from './bytes.ts';
import { LISTED, markOf, type Look } from './look.ts';
import { renderTable } from './table.ts';

/** What a dry run found: every move, and the nodes before and after. */
export async function renderBalancePlan({ moves, nodes, left }: BalancePlan, look: Look): Promise<string> {
  if (moves.length === 0) return [await renderBalanced(nodes, look), nothingToMove(look)].join('\n\n');
  const rows = moves.map(({ clerkOrgId, schema, bytes, from, to }) => [
    clerkOrgId,
    schema,
    sizeText(bytes),
    from,
    to,
  ]);
  const total = moves.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
  return [
    await renderTable(['organization', 'schema', 'size', 'from', 'to'], rows, look),
    await renderBalanced(nodes, look),
    [
      `${look.paint.cyan(look.marks.arrow)} ${counted(moves.length, 'tenant')} would move: ${bytesText(total)}`,
      ...more(left, look),
    ].join('\n'),
  ].join('\n\n');
}

/** The nodes before and after, the moves, failures apart, and the totals. */
export async function renderBalance(
  { tenants, nodes, left }: Balance,
  verbose: boolean,
  look: Look,
): Promise<string> {
  const table = await renderBalanced(nodes, look);
  if (tenants.length === 0) return [table, nothingToMove(look)].join('\n\n');
  const having = (...outcomes: BalanceResult['outcome'][]) =>
    tenants.filter(({ outcome }) => outcomes.includes(outcome));
  const moved = having('moved');
  const mark = markOf(look, { failed: false });
  const shown = moved.length <= LISTED || verbose ? moved : [];
  const [failed, skipped] = [having('failed').length, having('skipped').length];
  const bytes = moved.reduce((sum, each) => sum + (each.bytes ?? 0), 0);
  const sums = sumOf([
    [moved.length, `moved (${bytesText(bytes)})`],
    [having('already-there').length, 'there already'],
    [having('left-alone').length, 'left alone'],
    [failed, 'failed'],
    [skipped, 'not started'],
  ]);
  const whole = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
  const lines = [
    ...shown.map(({ clerkOrgId, from, to }) => `${mark} ${clerkOrgId} is on ${to} now; it was on ${from}`),
    ...having('left-alone').map(
      ({ clerkOrgId, reason = '' }) => `${look.marks.skipped} ${clerkOrgId} was left alone: ${reason}`,
    ),
    `${whole} ${skipped > 0 ? 'Interrupted. ' : ''}${counted(tenants.length, 'tenant')}: ${sums}`,
    ...more(left, look),
  ];
  return [table, lines.join('\n')].join('\n\n');
}

function renderBalanced(nodes: readonly BalancedNode[], look: Look): Promise<string> {
  const loadText = ({ tenants, bytes }: NodeLoad) => [String(tenants), sizeText(bytes)];
  return renderTable(
    ['node', 'tenants', 'size', 'tenants then', 'size then', ''],
    nodes.map(({ name, takesTenants, before, after }) => [
      name,
      ...loadText(before),
      ...loadText(after),
      takesTenants ? '' : 'takes no tenants',
    ]),
    look,
  );
}

function sizeText(bytes: number | null): string {
  return bytes === null ? 'unknown' : bytesText(bytes);
}

function nothingToMove({ paint, marks }: Look): string {
  return `${paint.green(marks.ok)} Nothing to move.`;
}

function more(left: number, { paint, marks }: Look): string[] {
  return left === 0
    ? []
    : [paint.dim(`${marks.skipped} ${counted(left, 'more move')} planned; the same command again goes on`)];
}
