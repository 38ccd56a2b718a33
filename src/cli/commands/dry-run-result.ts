import type { Rehearsal } from '../../core/commands/rehearse.ts';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import { failureOf } from '../run/failure.ts';
import { rehearsalDocument } from '../../core/documents/rehearsal-document.ts';

/** The result of a command with --dry-run. */
export function dryRunResult(rehearsal: Rehearsal, context: Context): CommandResult {
  const failures = [
    ...rehearsal.problems.map(({ error }) => error),
    ...rehearsal.plans.flatMap((plan) =>
      plan.migrations.flatMap(({ error }) => (error === undefined ? [] : [error])),
    ),
  ];
  for (const warning of rehearsal.warnings)
    context.output.message(`${context.output.paintError.yellow('!')} ${warning}`);
  return {
    document: rehearsalDocument(rehearsal),
    text: async () =>
      (await import('../render/rehearsal.ts')).renderRehearsal(rehearsal, context.output.paint),
    error: failureOf(failures, failures.length),
    showError: false,
  };
}
