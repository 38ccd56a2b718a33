import type { RenameResult } from '../../core/tenant/rename.ts';
import { listed } from '../../wording.ts';
import type { Look } from './look.ts';

export function renderRename(result: RenameResult, { paint, marks }: Look): string {
  const { clerkOrgId, schema, former, outcome } = result;
  const mark = paint.green(marks.ok);
  if (outcome === 'already-renamed')
    return `${mark} ${clerkOrgId} is in ${paint.bold(schema)} already; nothing was changed`;
  return [
    `${mark} ${former.clerkOrgId} is ${clerkOrgId} now, in ${paint.bold(schema)}`,
    ...details(result),
  ].join('\n');
}

export function renderPlannedRename(result: RenameResult, look: Look): string {
  const { clerkOrgId, schema, former, outcome } = result;
  if (outcome === 'already-renamed') return renderRename(result, look);
  const { paint, marks } = look;
  const head = `${paint.cyan(marks.arrow)} ${former.clerkOrgId} would become ${clerkOrgId}, in ${paint.bold(schema)}`;
  return [head, ...details(result)].join('\n');
}

/** What is renamed with the organization. */
function details({ schema, former, role, functions }: RenameResult): string[] {
  return [
    ...(former.schema === schema ? [] : [`  schema ${former.schema} becomes ${schema}`]),
    ...(role === undefined ? [] : [`  role ${role.former} becomes ${role.name}`]),
    ...(functions.length === 0 ? [] : [`  search_path of ${listed(functions)}`]),
  ];
}
