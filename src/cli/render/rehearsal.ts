import type { Rehearsal } from '../../core/commands/rehearse.ts';
import type { RehearsedMigration, RehearsedPlan } from '../../core/commands/try-plan.ts';
import { REHEARSAL_NOTE } from '../../core/documents/rehearsal-document.ts';
import { counted, listed } from '../../wording.ts';
import { errorDetails, indent, shortError } from './error.ts';
import { renderFailures } from './failures.ts';
import { renderLeftOut } from './fleet.ts';
import type { Look } from './look.ts';

/** The plans of a dry run: each distinct plan once, with its SQL. Problems are grouped by cause. */
export function renderRehearsal(rehearsal: Rehearsal, verbose: boolean, look: Look): string {
  const { paint, marks } = look;
  const problems = rehearsal.problems.map(({ tenant, error }) => ({ ...tenant, error }));
  const [resting = [], failing = []] = [true, false].map((is) =>
    problems.filter(({ error }) => (error.code === 'TENANT_NOT_ACTIVE') === is),
  );
  const lines = [
    ...renderFailures(failing, verbose, look, 'would fail'),
    ...renderFailures(resting, verbose, look, 'would be left out'),
  ];
  if (rehearsal.plans.length === 0 && rehearsal.problems.length === 0)
    lines.push(`${paint.green(marks.ok)} Nothing would be done.`);
  lines.push(...renderLeftOut(rehearsal.leftAlone ?? [], look));
  for (const plan of rehearsal.plans) lines.push(...renderPlan(plan, look), '');
  if (rehearsal.plans.length > 0) {
    lines.push(paint.dim(`Dry run: ${REHEARSAL_NOTE}`));
  }
  return lines.join('\n');
}

function renderPlan(plan: RehearsedPlan, look: Look): string[] {
  const { paint } = look;
  const names = listed(plan.targets.map((target) => target.clerkOrgId ?? target.schema));
  const title =
    plan.scope === 'master'
      ? `${paint.bold('Master')} (public)`
      : `${paint.bold(counted(plan.targets.length, 'tenant'))}: ${names}; shown on ${plan.shownOn}`;
  return [title, ...plan.migrations.flatMap((migration) => renderMigration(migration, look))];
}

function renderMigration(
  { name, transaction, statements, note, error }: RehearsedMigration,
  look: Look,
): string[] {
  const { paint, marks } = look;
  const lines = [`  ${paint.cyan(name)}${transaction ? '' : paint.yellow(' (outside a transaction)')}`];
  for (const statement of statements) lines.push(`    ${indent(statement, 4)};`.replace(/;;$/, ';'));
  if (statements.length === 0 && note === undefined && error === undefined) {
    lines.push(`    ${paint.dim('sends nothing to the database: has it been filled in?')}`);
  }
  if (note !== undefined) lines.push(`    ${paint.yellow(marks.warning)} ${indent(note, 4)}`);
  if (error !== undefined) {
    const { message, at, sqlstate, details, hint } = error;
    const statement = error.statement === statements.at(-1) ? undefined : error.statement;
    lines.push(
      `    ${paint.red(marks.failed)} ${shortError({ message, sqlstate })}`,
      ...errorDetails({ message, at, statement, details, hint }, look),
    );
  }
  return lines;
}
