import type { TenantStatus } from '../../names.ts';

/** What changes a tenant's status. */
export interface Transition {
  /** The statuses that it begins from; null is an organization without a row. */
  readonly from: readonly (TenantStatus | null)[];
  /** The status while it is at work, where others are to see that. */
  readonly during?: TenantStatus;
  /** The status afterwards; null where the row goes. */
  readonly to: TenantStatus | null;
  /** The status after a failure; as before where absent. */
  readonly failed?: TenantStatus;
}

/** Every way in which tenantctl changes a status. No other is made. */
export const TRANSITIONS = {
  /** What is PROVISIONING was begun by a process that has died, or by one whose lock is waited for. */
  provision: {
    from: [null, 'PROVISIONING', 'FAILED'],
    during: 'PROVISIONING',
    to: 'ACTIVE',
    failed: 'FAILED',
  },
} as const satisfies Record<string, Transition>;

/** The statuses that a row may have where a transition begins. */
export function statusesFrom({ from }: Transition): TenantStatus[] {
  return from.filter((status) => status !== null);
}
