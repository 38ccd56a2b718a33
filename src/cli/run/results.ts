import type { MasterResult } from '../../core/commands/migrate-master.ts';
import type { Rehearsal } from '../../core/commands/rehearse.ts';
import { fleetDocument } from '../../core/documents/migrate-document.ts';
import { rehearsalDocument } from '../../core/documents/rehearsal-document.ts';
import { isScriptName } from '../../core/files/script-name.ts';
import type { FleetResult } from '../../core/report/results.ts';
import { TenantctlError } from '../../errors.ts';
import { counted } from '../../wording.ts';
import { renderFailures, type FailedTenant } from '../render/failures.ts';
import type { EndedRun } from '../render/run-end.ts';
import type { Output } from '../terminal/output.ts';
import type { CommandResult, ResultText } from './command.ts';
import type { Context } from './context.ts';

export function fleetCommandResult(
  { output }: Context,
  result: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
  isRepeatable = true,
): CommandResult {
  const refused = result.tenants.filter(({ error }) => error !== undefined);
  const verb = direction === 'applied' ? 'migrated' : 'rolled back';
  const { run: id, totals, fleet, tenants } = result;
  const command = direction === 'applied' ? 'migrate tenants' : 'rollback tenants';
  // If the server is lost, the ledger does not have the failures: there is nothing to retry.
  const failed = fleet === undefined ? 0 : totals.failed;
  const changed = tenants.every(({ names }) => names.every(isScriptName)) ? 0 : totals.changed;
  return {
    document: fleetDocument(result, direction, all),
    text: withRunEnd(output, { id, command, failed, changed, tenants }, async (render, look) => {
      const text = await render.renderFleet(result, verb, output.verbose, look, isRepeatable);
      return all ? render.renderUpToDate(result, look) + text : text;
    }),
    error: rolloutFailure(result) ?? failureOf(refused, result.totals.selected),
    showError: false,
    interrupted: result.interrupted,
  };
}

export function withRunEnd(
  { quiet }: Output,
  { id, ...run }: Omit<EndedRun, 'id'> & { readonly id: number | undefined },
  text: ResultText,
): ResultText {
  if (id === undefined || quiet) return text;
  return async (render, look) => {
    const parts = [await text(render, look), render.renderRunEnd({ id, ...run }, look)];
    return parts.filter((part) => part !== '').join('\n');
  };
}

export function masterText(
  { output }: Context,
  result: MasterResult,
  verb: 'Applied' | 'Undone',
): ResultText {
  return withRunEnd(output, { id: result.run }, ({ renderMaster }, look) => renderMaster(result, verb, look));
}

export function dryRunResult({ output }: Context, rehearsal: Rehearsal): CommandResult {
  const { problems, upToDate, leftAlone = [] } = rehearsal;
  const planned = rehearsal.plans.flatMap(({ scope, targets, migrations }) => {
    const error = migrations.find((migration) => migration.error !== undefined)?.error;
    return targets.map(() => ({ scope, error }));
  });
  const master = planned.find(({ scope, error }) => scope === 'master' && error !== undefined);
  const tenants = planned.filter(({ scope }) => scope === 'tenants');
  const failed = [...problems, ...tenants.filter(({ error }) => error !== undefined)];
  const total = upToDate + problems.length + tenants.length + leftAlone.length;
  for (const warning of rehearsal.warnings) output.warn(warning);
  return {
    document: rehearsalDocument(rehearsal),
    text: ({ renderRehearsal }, look) => renderRehearsal(rehearsal, output.verbose, look),
    error: master?.error ?? failureOf(failed, total, 'would fail'),
    showError: false,
  };
}

interface TenantsResult {
  readonly run?: number | undefined;
  readonly tenants: readonly {
    readonly clerkOrgId: string | null;
    readonly schema: string;
    readonly error?: TenantctlError | undefined;
    /** Of a list, if the line was refused: it is shown in place of the organization. */
    readonly line?: number | undefined;
  }[];
  readonly interrupted?: boolean;
}

/** The result of a command that says for each tenant how its work ended. @param verb of those that failed */
export function tenantsResult(
  { output }: Context,
  { run: id, tenants, interrupted = false }: TenantsResult,
  { document, text }: Required<Pick<CommandResult, 'document' | 'text'>>,
  { verb = 'failed', total = tenants.length } = {},
): CommandResult {
  const failed = tenants.flatMap(({ error, line, ...tenant }) => {
    if (error === undefined) return [];
    return { ...tenant, error, line, ...(line !== undefined && { clerkOrgId: `line ${line}` }) };
  });
  showFailures(output, failed);
  const [first] = failed;
  const only = failed.length === 1 && first?.line !== undefined ? atLine(first.error, first.line) : undefined;
  return {
    document,
    text: withRunEnd(output, { id }, text),
    error: only ?? failureOf(failed, total, verb),
    interrupted,
  };
}

function atLine({ code, message, hint }: TenantctlError, line: number): TenantctlError {
  return new TenantctlError(code, `Line ${line}: ${message}`, { hint });
}

/** Shows the failures of a result that leaves them out. A single one is the command's own error. */
export function showFailures(output: Output, failed: readonly FailedTenant[]): void {
  if (failed.length > 1 && !output.json)
    output.complain(renderFailures(failed, output.verbose, output.errorLook).join('\n'));
}

/** The error of a partly failed run: the only failure's, otherwise the number of failures. */
export function failureOf(
  failed: readonly { readonly error?: TenantctlError | undefined }[],
  total: number,
  verb = 'failed',
  hint = "See each tenant's own error, correct the cause, and run the command again.",
): TenantctlError | undefined {
  const first = failed[0]?.error;
  if (first === undefined || failed.length === 1) return first;
  const shared = (['LOCK_TIMEOUT', 'TENANT_NOT_ACTIVE'] as const).find((code) =>
    failed.every(({ error }) => error?.code === code),
  );
  const areIdle = failed.some(({ error }) => error?.code === 'TENANT_NOT_ACTIVE');
  const what = [...(shared === 'TENANT_NOT_ACTIVE' ? [] : [verb]), ...(areIdle ? ['are not ACTIVE'] : [])];
  return new TenantctlError(
    shared ?? 'TENANTS_FAILED',
    `${failed.length} of ${total} tenants ${what.join(' or ')}.`,
    {
      hint,
      // Trying again helps only if it may help all of them.
      cause: failed.find(({ error }) => error?.retryable !== true)?.error ?? first,
    },
  );
}

/** The error of a run stopped because too many tenants failed. */
export function rolloutFailure({ rollout, totals }: FleetResult, hint?: string): TenantctlError | undefined {
  if (rollout?.stopped === undefined) return undefined;
  const { reason } = rollout.stopped;
  const rest = totals.skipped === 0 ? '' : ` ${counted(totals.skipped, 'tenant', 'was')} not started.`;
  return new TenantctlError('ROLLOUT_STOPPED', `The rollout was stopped: ${reason}.${rest}`, {
    hint:
      hint ??
      (rollout.rolledBack === undefined
        ? `What was applied stays applied. Correct the cause for the ${counted(totals.failed, 'tenant')} that failed, and run the command again: it continues where this run stopped.`
        : 'Correct what failed, and run the command again.'),
  });
}
