import type { Plan } from '../plan/plan.ts';
import type { TenantClass } from '../report/class-counts.ts';

/** What determines the class of a tenant or of a group of tenants. */
export interface ClassFacts {
  readonly status: string;
  readonly namesSchema: boolean;
  readonly hasSchema: boolean;
  /** A migration outside a transaction started there, and its outcome is unknown. */
  readonly isInterrupted: boolean;
  /** A verb of several transactions has begun, has not ended, and is not at work any more. */
  readonly isUnfinished: boolean;
  /** Both names changed at once: it may be a different tenant. */
  readonly isAmbiguous: boolean;
  /** The last attempt failed, or a check refused the tenant. */
  readonly hasFailed: boolean;
  /** What `migrate` would do to it. */
  readonly plan: Pick<Plan, 'problem' | 'steps' | 'lacks'>;
}

/**
 * The only definition of the classes, for `status`, runs and the doctor. The first that applies wins. Pure.
 */
export function classOf(facts: ClassFacts): TenantClass {
  const { status, plan } = facts;
  if (facts.isUnfinished) return 'broken';
  if (isNotActive(facts)) return 'notActive';
  if (lacksSchema(facts)) return 'broken';
  const isLate = plan.problem?.code === 'MIGRATION_OUT_OF_ORDER';
  if (facts.isInterrupted || facts.isAmbiguous || (plan.problem !== undefined && !isLate)) return 'broken';
  // Late files count as failed even before an attempt: `migrate` would refuse the tenant.
  if (status === 'FAILED' || facts.hasFailed || isLate) return 'failed';
  return plan.steps.length > 0 || plan.lacks !== undefined ? 'behind' : 'upToDate';
}

type RowFacts = Pick<ClassFacts, 'status' | 'namesSchema' | 'hasSchema'>;

/** Neither a tenant yet nor broken: a row without a schema waits to be provisioned. */
function isNotActive({ status, namesSchema }: RowFacts): boolean {
  if (status === 'ACTIVE' || status === 'FAILED') return false;
  return namesSchema || status !== 'SUSPENDED';
}

/** Whether a missing schema makes it broken. After a failed provisioning it does not. */
export function lacksSchema(facts: RowFacts): boolean {
  if (isNotActive(facts)) return false;
  return facts.status === 'FAILED' ? !facts.namesSchema : !facts.hasSchema;
}
