import { TenantctlError } from '../errors.ts';
import { MAX_NAME_BYTES } from '../names.ts';

/** Replaced by the tenant's schema in the name of its role. */
export const SCHEMA_PLACEHOLDER = '{schema}';

/** Names reserved by PostgreSQL: https://www.postgresql.org/docs/current/sql-createrole.html */
const RESERVED = /^(?:pg_.*|public|none|current_role|current_user|session_user)$/;

/** What is wrong with a pattern for role names; undefined if it is valid. Pure. */
export function patternProblem(pattern: string): string | undefined {
  const fixed = pattern.replaceAll(SCHEMA_PLACEHOLDER, '');
  const braces = /\{[^}]*\}?|\}/.exec(fixed)?.[0];
  if (braces !== undefined)
    return `holds ${braces}: only ${SCHEMA_PLACEHOLDER} is replaced, by the tenant's schema`;
  // eslint-disable-next-line no-control-regex -- control characters are what it looks for
  if (/[\u0000-\u001f\u007f]/.test(pattern)) return 'holds a control character';
  if (Buffer.byteLength(fixed, 'utf8') > MAX_NAME_BYTES)
    return `is too long: a role's name has at most ${MAX_NAME_BYTES} bytes`;
  if (fixed === pattern && RESERVED.test(pattern)) return 'is a name that PostgreSQL reserves';
  return undefined;
}

/** Whether each tenant gets its own role; otherwise all share one. Pure. */
export function isPerTenant(pattern: string): boolean {
  return pattern.includes(SCHEMA_PLACEHOLDER);
}

/** A tenant's role name. Pure. @throws TenantctlError TENANT_ROLE_UNUSABLE if it is reserved or too long */
export function roleNameFor(pattern: string, schema: string): string {
  const name = pattern.replaceAll(SCHEMA_PLACEHOLDER, () => schema);
  const problem =
    Buffer.byteLength(name, 'utf8') > MAX_NAME_BYTES
      ? `longer than ${MAX_NAME_BYTES} bytes`
      : RESERVED.test(name)
        ? 'a name that PostgreSQL reserves'
        : undefined;
  if (problem === undefined) return name;
  throw new TenantctlError(
    'TENANT_ROLE_UNUSABLE',
    `By TENANT_ROLE the role of ${schema} would be called "${name}", which is ${problem}.`,
    {
      hint: 'Choose a shorter or another pattern for TENANT_ROLE, or for --owner-role of tenantctl tenant provision.',
    },
  );
}
