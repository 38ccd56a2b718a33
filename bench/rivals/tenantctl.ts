import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runNode } from '../child.ts';
import type { Effort } from './rival.ts';

export const TENANTCTL = fileURLToPath(new URL('../../bin/tenantctl.js', import.meta.url));

export function tenantctlEnv(url: string): Record<string, string> {
  return { DATABASE_URL: url, DB_SSL: 'false' };
}

interface Expected {
  readonly upToDate?: number;
  readonly migrated?: number;
}

export interface TenantctlRun {
  readonly url: string;
  readonly folder: string;
  /** tenantctl's default if absent. */
  readonly concurrency?: number | undefined;
  readonly expect: Expected;
}

/** `tenantctl migrate tenants`. @returns with its own time in milliseconds, from the connection on @throws Error if the totals differ from the expected ones */
export async function migrateTenants({
  url,
  folder,
  concurrency,
  expect,
}: TenantctlRun): Promise<Effort & { readonly ownMs: number }> {
  const flags = concurrency === undefined ? [] : ['--concurrency', String(concurrency)];
  const { stdout, ...effort } = await runNode(
    [TENANTCTL, 'migrate', 'tenants', ...flags, '--json', '--quiet'],
    { cwd: folder, env: tenantctlEnv(url) },
  );
  const { totals, durationMs } = JSON.parse(stdout) as { totals: Required<Expected>; durationMs: number };
  const { upToDate = 0, migrated = 0 } = expect;
  if (totals.upToDate !== upToDate || totals.migrated !== migrated)
    throw new Error(`migrate tenants: ${JSON.stringify(totals)} in place of ${JSON.stringify(expect)}`);
  return { ...effort, ownMs: durationMs };
}

/** `tenantctl status --json`. @throws Error unless that many tenants are up to date */
export async function status(url: string, folder: string, tenants: number): Promise<Effort> {
  const { stdout, ...effort } = await runNode([TENANTCTL, 'status', '--json', '--quiet'], {
    cwd: folder,
    env: tenantctlEnv(url),
  });
  const document = JSON.parse(stdout) as { tenants: { total: number; upToDate: number } };
  if (document.tenants.total !== tenants || document.tenants.upToDate !== tenants)
    throw new Error(`status: ${JSON.stringify(document.tenants)} of ${tenants} tenants`);
  return effort;
}

/** `tenantctl tenant provision --from <file>`. @throws Error if one was not provisioned */
export async function provision(
  url: string,
  folder: string,
  organizations: readonly string[],
): Promise<Effort> {
  const file = join(folder, 'organizations.csv');
  await writeFile(file, ['organization', ...organizations, ''].join('\n'));
  const { stdout, ...effort } = await runNode(
    [TENANTCTL, 'tenant', 'provision', '--from', file, '--json', '--quiet'],
    { cwd: folder, env: tenantctlEnv(url) },
  );
  const { tenants } = JSON.parse(stdout) as { tenants: { outcome: string }[] };
  const done = tenants.filter(({ outcome }) => outcome === 'provisioned').length;
  if (done !== organizations.length)
    throw new Error(`provisioned ${done} of ${organizations.length} tenants`);
  return effort;
}
