import type { FleetResult } from '../../core/report/results.ts';
import type { Context } from '../run/context.ts';
import type { CommandResult } from '../run/command-result.ts';
import { failureOf } from '../run/failure.ts';
import { rolloutFailure } from '../run/rollout-failure.ts';
import { fleetDocument } from '../../core/documents/fleet-document.ts';

export function fleetCommandResult(
  context: Context,
  result: FleetResult,
  direction: 'applied' | 'reverted',
  all: boolean,
): CommandResult {
  const failures = result.tenants
    .filter((tenant) => tenant.outcome === 'failed')
    .map((tenant) => tenant.error);
  return {
    document: fleetDocument(result, direction, all),
    async text() {
      const { renderFleet } = await import('../render/fleet.ts');
      const verb = direction === 'applied' ? 'migrated' : 'rolled back';
      return renderFleet(result, verb, context.output.verbose, context.output.paint);
    },
    error: rolloutFailure(result) ?? failureOf(failures, result.totals.selected),
    showError: false,
    interrupted: result.interrupted,
  };
}
