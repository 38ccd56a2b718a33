import { identifier, literal } from '../../db/sql.ts';
import { setSearchPath } from '../../db/transaction.ts';
import type { Target } from './target.ts';

/**
 * The search_path of tenantctl's own statements. With a role for each tenant it has no schema in which such a role
 * may create functions or operators that shadow PostgreSQL's: not public either, where everybody may up to
 * PostgreSQL 14. Temporary tables and types come last
 * (https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058).
 */
export function ownSearchPath(target: Target): readonly string[] {
  return target.role === undefined ? target.searchPath : ['pg_catalog', 'pg_temp'];
}

/** Switches an open transaction to the role and search_path of the target's migrations. */
export function giveControl(target: Target): string[] {
  const path = setSearchPath(target.searchPath);
  return target.role === undefined ? [path] : [`SET LOCAL ROLE ${identifier(target.role)}`, path];
}

/** SQL that fails (UNTRUSTED) if the tenant's role could run its code through tenantctl by way of the history. */
export function assertTrusted({ schema, role }: Target): string[] {
  return role === undefined
    ? []
    : [`tenantctl.assert_trusted(${literal(schema)}::text, ${literal(role)}::text)`];
}

/** The same as statements. */
export function selectTrusted(target: Target): string[] {
  return assertTrusted(target).map((assertion) => `SELECT ${assertion}`);
}

/** Switches back between two migrations, which may have replaced the history tables. */
export function regainControl(target: Target): string[] {
  if (target.role === undefined) return ['RESET ROLE'];
  return ['RESET ROLE', setSearchPath(ownSearchPath(target)), ...selectTrusted(target)];
}

/**
 * Runs deferred triggers first: up to PostgreSQL 17, COMMIT would run them as the committing role
 * (https://www.postgresql.org/docs/release/18.0/, "AFTER triggers").
 */
export function regainControlAtEnd(target: Target): string[] {
  const isDeferring = target.role !== undefined;
  return [...(isDeferring ? ['SET CONSTRAINTS ALL IMMEDIATE'] : []), ...regainControl(target)];
}
