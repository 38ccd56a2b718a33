import { createHash } from 'node:crypto';

export interface BenchTenant {
  readonly organization: string;
  readonly schema: string;
}

/** This many tenants, with tenantctl's schema names. */
export function benchTenants(count: number): BenchTenant[] {
  return Array.from({ length: count }, (_, index) => {
    const organization = `org_bench_${index}`;
    const schema = `tid_${createHash('md5').update(organization).digest('hex').slice(0, 10)}`;
    return { organization, schema };
  });
}
