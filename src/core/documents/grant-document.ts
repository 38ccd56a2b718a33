import type { GrantApplicationResult } from '../commands/grant-application.ts';
import type { GrantPlan } from '../commands/plan-grant.ts';
import { tenantsDocument, type TenantsDocument } from './document.ts';

/** `grant application`. */
export type GrantDocument = TenantsDocument<GrantApplicationResult>;

export const grantDocument = (result: GrantApplicationResult): GrantDocument => tenantsDocument(result);

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
