import { createHash } from 'node:crypto';

/** A customer organization of the benchmark and its schema. */
export interface BenchTenant {
  readonly organization: string;
  readonly schema: string;
}

/** So many tenants, their schemas named as tenantctl names them. */
export function benchTenants(count: number): BenchTenant[] {
  return Array.from({ length: count }, (_, index) => {
    const organization = `org_bench_${index}`;
    const schema = `tid_${createHash('md5').update(organization).digest('hex').slice(0, 10)}`;
    return { organization, schema };
  });
}
