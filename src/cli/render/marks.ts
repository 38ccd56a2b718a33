import type { MarkResult } from '../../core/commands/mark-migrations.ts';
import { counted, listed, sumOf } from '../../wording.ts';
import { markOf, type Look } from './look.ts';

/** A line for each set of migrations, and the totals. @param isPlan what would be recorded */
export function renderMarks(results: readonly MarkResult[], isPlan: boolean, look: Look): string {
  const { paint, marks } = look;
  const marked = results.filter(({ outcome }) => outcome === 'marked');
  const mark = isPlan ? paint.cyan(marks.arrow) : paint.green(marks.ok);
  const lines = [...Map.groupBy(marked, ({ names }) => names.join('\n'))].flatMap(([, group]) => {
    const [first] = group;
    if (first === undefined) return [];
    const what = counted(first.names.length, 'migration');
    const who =
      first.clerkOrgId === null
        ? 'the master schema'
        : listed(group.map(({ clerkOrgId }) => clerkOrgId ?? ''));
    const verb = isPlan ? 'would be recorded' : 'recorded';
    return [`${mark} ${what} ${verb} as applied, not run: ${who}`, ...first.names.map((name) => `  ${name}`)];
  });
  const count = (outcome: MarkResult['outcome']) =>
    results.filter((result) => result.outcome === outcome).length;
  const [failed, skipped] = [count('failed'), count('skipped')];
  if (results.length > 1 || marked.length + failed === 0) {
    const sums = sumOf([
      [marked.length, isPlan ? 'would be changed' : 'changed'],
      [count('unchanged'), 'had them already'],
      [failed, isPlan ? 'would fail' : 'failed'],
      [skipped, 'not started'],
    ]);
    const total = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(
      `${total} ${results.length === 1 ? '1 history' : `${results.length} histories`}${sums === '' ? '' : `: ${sums}`}`,
    );
  }
  return lines.join('\n');
}
