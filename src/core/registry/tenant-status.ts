/** What the registry's status column can say. tenantctl works on ACTIVE tenants. */
export const STATUSES = ['PROVISIONING', 'ACTIVE', 'FAILED', 'SUSPENDED', 'ARCHIVED'] as const;
export type TenantStatus = (typeof STATUSES)[number];
