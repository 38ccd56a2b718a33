import type { ErrorReport } from '../../errors.ts';
import type { GrantApplicationResult, TenantGrant } from '../commands/grant-application.ts';
import type { GrantPlan } from '../commands/plan-grant.ts';
import { withReport } from './document.ts';

/** `grant application`. */
export interface GrantDocument extends Omit<GrantApplicationResult, 'tenants'> {
  readonly tenants: readonly (Omit<TenantGrant, 'error'> & { readonly error?: ErrorReport })[];
}

export function grantDocument({ run, tenants, ...rest }: GrantApplicationResult): GrantDocument {
  return { ...(run !== undefined && { run }), ...rest, tenants: tenants.map(withReport) };
}

/** `grant application --dry-run`: the SQL for the registry, and that of each tenant. */
export interface PlannedGrantDocument {
  readonly dryRun: true;
  readonly role: string;
  readonly statements: readonly string[];
  readonly tenants: readonly {
    readonly clerkOrgId: string;
    readonly schema: string;
    readonly statements: readonly string[];
  }[];
}

export function plannedGrantDocument({ role, statements, tenants }: GrantPlan): PlannedGrantDocument {
  return {
    dryRun: true,
    role,
    statements,
    tenants: tenants.map(({ tenant, ...rest }) => ({ ...tenant, ...rest })),
  };
}
