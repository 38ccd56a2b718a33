import type { TenantNames } from '../../../names.ts';
import type { TenantctlError } from '../../../errors.ts';
import { verbResult } from '../../commands/verb-result.ts';
import type { Attention } from '../../fleet/attention.ts';
import { seedSteps, type Seed } from '../../plan/plan-seeds.ts';
import type { MigrationOutcome } from '../../strategy/migration-work.ts';
import type { RunEnding } from '../../ledger/run-ending.ts';

export interface ProvisionResult {
  /** The run's number in the ledger; absent if it could not be recorded. */
  readonly run?: number;
  readonly clerkOrgId: string;
  /** Empty if the organization id was refused. */
  readonly schema: string;
  /**
   * `provisioned-behind`: ACTIVE, and complete as far as this folder goes; other tenants have newer
   * migrations. `already-active`: nothing was changed.
   */
  readonly outcome: 'provisioned' | 'provisioned-behind' | 'already-active' | 'failed';
  readonly applied: readonly string[];
  /** The seeds that were run; absent without `seedFolder`. */
  readonly seeds?: readonly string[] | undefined;
  readonly durationMs: number;
  /** Migrations that the tenant lacks, from the folder or of other tenants; absent if there are none. */
  readonly behind?: readonly string[] | undefined;
  /** What a tenant needs that was ACTIVE already; absent if nothing. */
  readonly attention?: Attention | undefined;
  /** The line of the list, if this is a line that was refused (parseOrganizations). */
  readonly line?: number | undefined;
  readonly error?: TenantctlError | undefined;
}

/** @param wanted the number of tenants to make */
export function endingOf(results: readonly ProvisionResult[], wanted: number): RunEnding {
  const count = (...outcomes: ProvisionResult['outcome'][]) =>
    results.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const totals = {
    selected: wanted,
    upToDate: count('already-active'),
    changed: count('provisioned', 'provisioned-behind'),
    failed: count('failed'),
    skipped: wanted - results.length,
  };
  return { outcome: totals.failed > 0 ? 'failed' : totals.skipped > 0 ? 'interrupted' : 'done', totals };
}

export function resultOf(
  tenant: TenantNames,
  outcome: ProvisionResult['outcome'],
  more: Partial<ProvisionResult> = {},
): ProvisionResult {
  return verbResult(tenant, outcome, { applied: [], ...more });
}

/** Undefined for an organization that was not started. @param seeds those of the run */
export function toProvisionResult(
  outcome: MigrationOutcome,
  seeds: readonly Seed[],
): ProvisionResult | undefined {
  const { task, durationMs } = outcome;
  switch (outcome.kind) {
    case 'skipped':
      return undefined;
    case 'failed':
      return resultOf(task.tenant, 'failed', { error: outcome.error, durationMs });
    case 'by-peer':
      return resultOf(task.tenant, 'already-active', { durationMs });
    case 'done': {
      const steps = seedSteps(seeds).map(({ name }) => name);
      const applied = outcome.done.names.filter((name) => !steps.includes(name));
      const seeded = seeds.length > 0 && { seeds: seeds.map(({ name }) => name) };
      return resultOf(task.tenant, 'provisioned', { applied, durationMs, ...seeded });
    }
  }
}
