import type { Resolution } from '../../core/commands/resolve.ts';
import type { Look } from './look.ts';

export function renderResolution(resolution: Resolution, { paint, marks }: Look): string {
  const { clerkOrgId, schema, invalidIndexes } = resolution;
  const who = clerkOrgId === undefined ? 'master' : `${clerkOrgId} ${paint.dim(schema)}`;
  return [
    `${paint.green(marks.ok)} ${who}: ${sentence(resolution)}`,
    ...invalidIndexes.flatMap(({ name, table, remedy }) => [
      `${paint.yellow(marks.warning)} The index ${name} of table ${table} is INVALID: no query uses it, but IF NOT EXISTS would find it.`,
      `${paint.cyan(marks.arrow)} ${remedy}`,
    ]),
  ].join('\n');
}

function sentence({ migration, direction, answer, recorded, batch }: Resolution): string {
  if (answer === 'retry') {
    const next = direction === 'up' ? 'next run starts it' : 'next rollback undoes it';
    return `${migration} counts as not done; the ${next} again.`;
  }
  if (!recorded)
    return `the history already had ${migration} as ${direction === 'up' ? 'applied' : 'undone'}.`;
  return direction === 'up'
    ? `${migration} is recorded as applied, batch ${batch}.`
    : `${migration} is recorded as undone.`;
}
