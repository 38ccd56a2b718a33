import type { ChalkInstance } from 'chalk';
import type { Resolution } from '../../core/commands/resolve.ts';

/** The outcome of an interrupted migration, and what remains to be done. */
export function renderResolution(resolution: Resolution, paint: ChalkInstance): string {
  const { clerkOrgId, schema, invalidIndexes } = resolution;
  const who = clerkOrgId === undefined ? 'master' : `${clerkOrgId} ${paint.dim(schema)}`;
  return [
    `${paint.green('✔')} ${who}: ${sentence(resolution)}`,
    ...invalidIndexes.flatMap(({ name, table, remedy }) => [
      `${paint.yellow('!')} The index ${name} of table ${table} is INVALID: it serves no query, and IF NOT EXISTS would be content with it.`,
      `${paint.cyan('→')} ${remedy}`,
    ]),
  ].join('\n');
}

function sentence({ migration, direction, answer, recorded, batch }: Resolution): string {
  if (answer === 'retry') {
    const again = direction === 'up' ? 'begins it anew' : 'undoes it anew';
    return `${migration} counts as not done; the next ${direction === 'up' ? 'run' : 'rollback'} ${again}.`;
  }
  if (!recorded)
    return `the history had ${migration} as ${direction === 'up' ? 'applied' : 'undone'} already.`;
  return direction === 'up'
    ? `${migration} is recorded as applied, batch ${batch}.`
    : `${migration} is recorded as undone.`;
}
