import type { ClonePlan, CloneResult } from '../../core/tenant/clone.ts';
import { counted, duration, listed } from '../../wording.ts';
import type { Look } from './look.ts';

export function renderClone(result: CloneResult, { paint, marks }: Look): string {
  const { clerkOrgId, schema, source, rows, tables, differences, durationMs } = result;
  const copied = tables.length === 0 ? 'without rows' : `with ${counted(rows, 'row')}`;
  return [
    `${paint.green(marks.ok)} ${clerkOrgId} is a clone of ${source.clerkOrgId}, ${copied}, in ${paint.bold(schema)} ${paint.dim(`(${duration(durationMs)})`)}`,
    ...masked(result),
    ...differences.map(
      ({ kind, name, difference }) => `  ${kind} ${name} is ${difference} in ${source.clerkOrgId}`,
    ),
  ].join('\n');
}

export function renderPlannedClone(plan: ClonePlan, { paint, marks }: Look): string {
  const { clerkOrgId, schema, source, tables, migrations } = plan;
  const copied = tables.length === 0 ? 'no rows' : `the rows of ${counted(tables.length, 'table')}`;
  return [
    `${paint.cyan(marks.arrow)} ${clerkOrgId} would be a clone of ${source.clerkOrgId}, in ${paint.bold(schema)}`,
    `  ${counted(migrations.length, 'migration')}, ${copied}`,
    ...masked(plan),
  ].join('\n');
}

function masked({ masked }: ClonePlan): string[] {
  return masked.length === 0 ? [] : [`  masked: ${listed(masked)}`];
}
