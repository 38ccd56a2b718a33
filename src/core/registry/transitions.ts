import { STATUSES, type TenantStatus } from '../../names.ts';

/** How a verb changes the status of a tenant. */
interface Transition {
  /** The statuses that allow the verb; null if the registry may lack a row. */
  readonly from: readonly (TenantStatus | null)[];
  /** The status between the transactions of the verb; absent if it takes one. */
  readonly during?: TenantStatus;
  /** Null if the row is deleted. */
  readonly to: TenantStatus | null;
  /** The status after a failure; absent if the status stays as it was. */
  readonly failed?: TenantStatus;
}

/** All status changes that tenantctl makes. docs/life.md has the same table. */
export const TRANSITIONS = {
  /** PROVISIONING was left by a dead process, or its lock is being waited for. */
  provision: {
    from: [null, 'PROVISIONING', 'FAILED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
    failed: 'FAILED',
  },
  adopt: { from: [null], to: 'ACTIVE' },
  /** With a row, only if its schema is missing. */
  restore: {
    from: [null, 'PROVISIONING', 'FAILED', 'ACTIVE', 'SUSPENDED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
  },
  clone: { from: [null], during: 'PROVISIONING', to: 'ACTIVE' },
  suspend: { from: ['ACTIVE'], to: 'SUSPENDED' },
  /** Ends a provisioning, or stands in its way. */
  suspendUnfinished: { from: ['ACTIVE', 'PROVISIONING', 'FAILED'], to: 'SUSPENDED' },
  /** Migrates first. If that fails, the tenant stays as it is. */
  resume: { from: ['SUSPENDED'], to: 'ACTIVE' },
  archive: { from: ['ACTIVE', 'SUSPENDED'], during: 'SUSPENDED', to: 'ARCHIVED' },
  unarchive: { from: ['ARCHIVED'], during: 'PROVISIONING', to: 'ACTIVE', failed: 'ARCHIVED' },
  /** PROVISIONING only if no process holds the tenant's lock. */
  drop: { from: STATUSES, during: 'SUSPENDED', to: null },
} as const satisfies Record<string, Transition>;

/** What changes the status alone. */
export type StatusChange = 'suspend' | 'suspendUnfinished' | 'resume';

/** The statuses of tenants that are not complete. */
export const UNFINISHED: readonly TenantStatus[] = TRANSITIONS.provision.from.filter(
  (status) => status !== null,
);

/** The statuses of tenants that can be renamed. The status stays. */
export const RENAMABLE: readonly TenantStatus[] = ['ACTIVE', 'SUSPENDED'];
