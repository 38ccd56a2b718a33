import type { TenantctlError } from '../../errors.ts';
import type { RegisteredTenant } from '../registry/registry.ts';
import type { RunContext } from '../run/run-context.ts';
import { serve } from '../serve/serve.ts';
import type { Work } from '../serve/work.ts';
import { checkTenant, type TenantCheck } from './tenant-check.ts';

/** What a check found. */
export interface Checked {
  /** The errors of the tenants that it refused, by schema. */
  readonly refused: ReadonlyMap<string, TenantctlError>;
  /** How many tenants were not checked, because the run was stopped. */
  readonly unchecked: number;
}

/** Checks tenants side by side. Each refusal counts as a failure of its tenant. */
export async function runChecks(
  context: RunContext,
  tenants: readonly RegisteredTenant[],
  check: TenantCheck,
  work: Pick<Work<{ readonly tenant: RegisteredTenant }, undefined>, 'lanes' | 'observe' | 'ledger'>,
): Promise<Checked> {
  const tasks = tenants.map((tenant) => ({ tenant }));
  // A check writes nothing: it need not wait for standbys.
  const { outcomes } = await serve({ ...context, throttle: undefined }, tasks, {
    ...work,
    async attempt({ tenant }) {
      const error = await checkTenant(context, tenant, check);
      if (error === undefined) return { kind: 'done', done: undefined };
      return { kind: 'failed', error, mayRepeat: true };
    },
  });
  const refused = new Map<string, TenantctlError>();
  for (const outcome of outcomes)
    if (outcome.kind === 'failed') refused.set(outcome.task.tenant.schema, outcome.error);
  return { refused, unchecked: outcomes.filter(({ kind }) => kind === 'skipped').length };
}
