import type { ChalkInstance } from 'chalk';
import type { RehearsedMigration, RehearsedPlan, Rehearsal } from '../../core/commands/rehearse.ts';
import { counted, listed } from '../../wording.ts';
import { REHEARSAL_NOTE } from '../../core/documents/rehearsal-document.ts';

/** What a run would do: each distinct plan once, with its SQL. */
export function renderRehearsal(rehearsal: Rehearsal, paint: ChalkInstance): string {
  const lines: string[] = [];
  for (const { tenant, error } of rehearsal.problems) {
    lines.push(
      `${paint.red('✖')} ${tenant.clerkOrgId} ${paint.dim(tenant.schema)}: ${error.message}`,
      `  ${paint.cyan('→')} ${error.hint ?? ''}`,
    );
  }
  if (rehearsal.plans.length === 0 && rehearsal.problems.length === 0)
    lines.push(`${paint.green('✔')} Nothing would be done.`);
  for (const plan of rehearsal.plans) lines.push(...renderPlan(plan, paint), '');
  if (rehearsal.plans.length > 0) {
    lines.push(paint.dim(`Dry run: ${REHEARSAL_NOTE}`));
  }
  return lines.join('\n');
}

function renderPlan(plan: RehearsedPlan, paint: ChalkInstance): string[] {
  const names = listed(plan.targets.map((target) => target.clerkOrgId ?? target.schema));
  const title =
    plan.scope === 'master'
      ? `${paint.bold('Master')} (public)`
      : `${paint.bold(counted(plan.targets.length, 'tenant'))}: ${names}; shown on ${plan.shownOn}`;
  return [title, ...plan.migrations.flatMap((migration) => renderMigration(migration, paint))];
}

function renderMigration(migration: RehearsedMigration, paint: ChalkInstance): string[] {
  const lines = [
    `  ${paint.cyan(migration.name)}${migration.transaction ? '' : paint.yellow(' (outside a transaction)')}`,
  ];
  for (const statement of migration.statements)
    lines.push(`    ${statement.trim().split('\n').join('\n    ')};`.replace(/;;$/, ';'));
  if (migration.statements.length === 0 && migration.note === undefined && migration.error === undefined) {
    lines.push(`    ${paint.dim('sends nothing to the database: has it been filled in?')}`);
  }
  if (migration.note !== undefined)
    lines.push(`    ${paint.yellow('!')} ${migration.note.split('\n').join('\n    ')}`);
  if (migration.error !== undefined) {
    lines.push(
      `    ${paint.red('✖')} ${migration.error.message}${migration.error.sqlstate === undefined ? '' : ` (SQLSTATE ${migration.error.sqlstate})`}`,
    );
    // The failed statement is usually the last one above.
    if (migration.error.statement !== undefined && migration.error.statement !== migration.statements.at(-1))
      lines.push(`      ${migration.error.statement.trim().split('\n').join('\n      ')}`);
    for (const detail of migration.error.details ?? []) lines.push(`      ${detail}`);
    if (migration.error.hint !== undefined) lines.push(`    ${paint.cyan('→')} ${migration.error.hint}`);
  }
  return lines;
}
