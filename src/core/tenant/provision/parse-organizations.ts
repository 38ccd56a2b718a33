import { toTenantctlError } from '../../../errors.ts';
import { checkOptions } from '../../options/check-options.ts';
import { assertOrganizationId } from '../../registry/schema-name.ts';
import { parseTable, type BadLine } from '../common/parse-table.ts';

/** What a list may call the organization id. */
export const ORGANIZATION_FIELDS = [
  'clerk_org_id',
  'organization_id',
  'organization',
  'org_id',
  'org',
] as const;

export interface OrganizationList {
  /** Each organization once, with its first line. */
  readonly organizations: readonly { readonly clerkOrgId: string; readonly line: number }[];
  /** Lines without a valid organization id. */
  readonly bad: readonly (BadLine & { readonly clerkOrgId: string })[];
  /** How many lines repeat an organization. */
  readonly repeated: number;
}

/**
 * Reads organization ids from a text: CSV with a column `clerk_org_id` (or `organization_id`, `organization`, `org_id`,
 * `org`), CSV with one column and no header, or JSON Lines of objects with such a key. Pure.
 * @throws TenantctlError FILE_UNUSABLE if it is neither, or names no organization
 */
export function parseOrganizations(text: string): OrganizationList {
  checkOptions({ text }, 'text');
  const { rows, bad: unreadable } = parseTable(text, { organization: ORGANIZATION_FIELDS });
  const lines = new Map<string, number>();
  const bad = unreadable.map((each) => ({ ...each, clerkOrgId: '' }));
  let repeated = 0;
  for (const { line, values } of rows) {
    const clerkOrgId = values.organization;
    try {
      assertOrganizationId(clerkOrgId);
      if (lines.has(clerkOrgId)) repeated += 1;
      else lines.set(clerkOrgId, line);
    } catch (error) {
      const refused = toTenantctlError(error);
      bad.push({ line, clerkOrgId: refused.tenant ?? '', error: refused });
    }
  }
  const organizations = [...lines].map(([clerkOrgId, line]) => ({ clerkOrgId, line }));
  return { organizations, bad: bad.toSorted((a, b) => a.line - b.line), repeated };
}
