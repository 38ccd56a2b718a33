import type { Plan } from '../plan/plan.ts';
import type { TenantClass } from '../report/class-counts.ts';

/** What decides the class of a tenant, or of all tenants of a group. */
export interface ClassFacts {
  readonly status: string;
  /** Its row in the registry names a schema. */
  readonly namesSchema: boolean;
  /** That schema exists. */
  readonly hasSchema: boolean;
  /** A migration outside a transaction began there, and how it ended is not known. */
  readonly isInterrupted: boolean;
  /** Both its names have changed at once: it may be another tenant than tenantctl knew. */
  readonly isAmbiguous: boolean;
  /** The last attempt failed, or a check refused the tenant. */
  readonly hasFailed: boolean;
  /** What a migration would do there. */
  readonly plan: Pick<Plan, 'problem' | 'steps'>;
}

/**
 * The class of a tenant: the first that applies. This is the only definition of up to date, behind, failed, not active
 * and broken; `status`, the results of runs and the doctor use it. Pure.
 */
export function classOf(facts: ClassFacts): TenantClass {
  const { status, plan } = facts;
  if (isNotActive(facts)) return 'notActive';
  if (lacksSchema(facts)) return 'broken';
  const isLate = plan.problem?.code === 'MIGRATION_OUT_OF_ORDER';
  if (facts.isInterrupted || facts.isAmbiguous || (plan.problem !== undefined && !isLate)) return 'broken';
  // Before any attempt, too: a migration would refuse a tenant with a late file.
  if (status === 'FAILED' || facts.hasFailed || isLate) return 'failed';
  return plan.steps.length > 0 ? 'behind' : 'upToDate';
}

type RowFacts = Pick<ClassFacts, 'status' | 'namesSchema' | 'hasSchema'>;

/** A row without a schema that is no tenant yet, nor broken, waits to be provisioned. */
function isNotActive({ status, namesSchema }: RowFacts): boolean {
  if (status === 'ACTIVE' || status === 'FAILED') return false;
  return namesSchema || status !== 'SUSPENDED';
}

/** Whether a tenant is broken because it has no schema. A failed provisioning leaves none, which is not broken. Pure. */
export function lacksSchema(facts: RowFacts): boolean {
  if (isNotActive(facts)) return false;
  return facts.status === 'FAILED' ? !facts.namesSchema : !facts.hasSchema;
}
