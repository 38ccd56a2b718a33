import type { TenantStatus } from '../../names.ts';

/** All status changes that tenantctl makes. */
export const TRANSITIONS = {
  /** Null if there is no row. PROVISIONING was left by a dead process, or its lock is being waited for. */
  provision: {
    from: [null, 'PROVISIONING', 'FAILED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
    failed: 'FAILED',
  },
  suspend: { from: ['ACTIVE'], to: 'SUSPENDED' },
  /** Ends a provisioning, or stands in its way. */
  suspendUnfinished: { from: ['ACTIVE', 'PROVISIONING', 'FAILED'], to: 'SUSPENDED' },
  /** Migrates first. If that fails, the tenant stays as it is. */
  resume: { from: ['SUSPENDED'], to: 'ACTIVE' },
} as const;

/** What changes the status alone. */
export type StatusChange = Exclude<keyof typeof TRANSITIONS, 'provision'>;

/** The statuses of tenants that are not complete. */
export const UNFINISHED: readonly TenantStatus[] = TRANSITIONS.provision.from.filter(
  (status) => status !== null,
);
