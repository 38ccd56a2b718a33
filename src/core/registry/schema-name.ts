import { createHash } from 'node:crypto';
import { checkOptions } from '../options/check-options.ts';
import { TenantctlError } from '../../errors.ts';
import { DEFAULT_NAMES, HASH_LENGTH, type Names } from '../../names.ts';

/** In characters (code points). */
export const MAX_ORGANIZATION_ID_LENGTH = 255;

/** Matches new tenant schema names: a regular expression for both JavaScript and PostgreSQL. */
export function tenantSchemaPattern({ schemaPrefix }: Names): string {
  return `^${schemaPrefix.replaceAll(/[^\p{L}\p{N}_]/gu, String.raw`\$&`)}[0-9a-f]{${HASH_LENGTH}}$`;
}

/** The pattern for the default prefix. */
export const TENANT_SCHEMA_PATTERN = new RegExp(tenantSchemaPattern(DEFAULT_NAMES));

/**
 * PostgreSQL's own schemas, tenantctl's, and `public`, which holds what tenants share: never a tenant's. For both
 * JavaScript and PostgreSQL: https://www.postgresql.org/docs/current/ddl-schemas.html
 */
export const SYSTEM_SCHEMA = /^(?:pg_.*|information_schema|tenantctl|public)$/;

/**
 * newSchemaName with the default prefix.
 * @example schemaNameFor('default_tenant') // 'tid_cf4116b064'
 * @throws TenantctlError ORGANIZATION_ID_INVALID
 */
export function schemaNameFor(organizationId: string): string {
  return newSchemaName(DEFAULT_NAMES, organizationId);
}

/**
 * The prefix and the first ten hex digits of the md5 of the UTF-8 id. For existing tenants, use the registry.
 * @throws TenantctlError ORGANIZATION_ID_INVALID
 */
export function newSchemaName({ schemaPrefix }: Names, organizationId: string): string {
  assertOrganizationId(organizationId);
  const hash = createHash('md5').update(organizationId, 'utf8').digest('hex');
  return `${schemaPrefix}${hash.slice(0, HASH_LENGTH)}`;
}

/**
 * Rejects blank ids, control characters, NUL, lone surrogates (invalid in UTF-8) and over 255 characters.
 * @throws TenantctlError ORGANIZATION_ID_INVALID
 */
export function assertOrganizationId(organizationId: string): void {
  if (typeof organizationId !== 'string') checkOptions({ organizationId }, 'organizationId');
  const refuse = (reason: string) => {
    throw new TenantctlError('ORGANIZATION_ID_INVALID', `This organization id is refused: ${reason}.`, {
      hint: 'An organization id has 1 to 255 characters, none of them a control character.',
      tenant: shown(organizationId),
    });
  };
  if (organizationId.trim() === '') refuse('it is empty');
  if (/\p{Cc}/u.test(organizationId)) refuse('it holds a control character');
  if (!organizationId.isWellFormed()) refuse('it is not well-formed Unicode');
  const length = Array.from(organizationId).length;
  if (length > MAX_ORGANIZATION_ID_LENGTH) refuse(`it has ${length} characters, more than 255`);
}

/** An invalid id for a message: escaped and shortened. */
function shown(organizationId: string): string {
  const escaped = organizationId
    .toWellFormed()
    .replace(/\p{Cc}/gu, (character) => `\\u${character.codePointAt(0)?.toString(16).padStart(4, '0')}`);
  return escaped.length > 60 ? `${escaped.slice(0, 57)}...` : escaped;
}
