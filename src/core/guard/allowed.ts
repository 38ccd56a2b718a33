import type { Migration } from '../files/load.ts';

/** What the guard knows of an object outside a tenant's schema. */
export interface Outside {
  /** As pg_identify_object names it; undefined if it has no name. */
  readonly identity: string | undefined;
  readonly isOtherTenants: boolean;
  /** The extension that it belongs to. */
  readonly extension?: string | null | undefined;
}

/** Allows everything but other tenants' schemas. */
export const ANYTHING = '*';

/** Whether allowOutside lists an object: by its name, as `schema.*`, by its extension, or as `*`. */
export function isAllowed(
  { identity, extension, isOtherTenants }: Outside,
  { allowOutside }: Pick<Migration, 'allowOutside'>,
): boolean {
  if (isOtherTenants) return false;
  return allowOutside.some((allowed) => {
    if (allowed === ANYTHING) return true;
    if (identity === undefined) return false;
    if (allowed === identity || allowed === extension || allowed === withoutArguments(identity)) return true;
    if (allowed.endsWith('.*')) return identity.startsWith(allowed.slice(0, -1));
    return withoutQuotes(allowed) === withoutQuotes(identity);
  });
}

/** The shortest entry of allowOutside that allows an object. */
export function nameToAllow({ identity, extension }: Outside): string {
  return extension ?? (identity === undefined ? ANYTHING : withoutArguments(identity));
}

function withoutQuotes(name: string): string {
  return name.replaceAll('"', '');
}

/** A routine or an operator without its arguments. A cast begins with its parenthesis. */
function withoutArguments(identity: string): string {
  return identity.startsWith('(') ? identity : identity.replace(/\(.*$/, '');
}
