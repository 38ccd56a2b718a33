import { identifier } from '../../db/sql.ts';
import { setSearchPath } from '../../db/transaction.ts';
import type { Target } from './target.ts';

/**
 * Where tenantctl's own statements look names up. Not in a schema where a tenant's role may create: a function or an
 * operator there could be taken for PostgreSQL's own (https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058).
 */
export function ownSearchPath(target: Target): readonly string[] {
  return target.role === undefined ? target.searchPath : ['public'];
}

/** The statements that give an open transaction to a target's migrations: their role, their search_path. */
export function giveControl(target: Target): string[] {
  const path = setSearchPath(target.searchPath);
  return target.role === undefined ? [path] : [`SET LOCAL ROLE ${identifier(target.role)}`, path];
}

/** The statements with which tenantctl regains control between two migrations. */
export function regainControl(target: Target): string[] {
  return target.role === undefined ? ['RESET ROLE'] : ['RESET ROLE', setSearchPath(ownSearchPath(target))];
}

/**
 * The statements with which tenantctl regains control after the last migration. Deferred triggers run before, as the role
 * that caused them: up to PostgreSQL 17 they would run as the role that commits
 * (https://www.postgresql.org/docs/release/18.0/, "AFTER triggers").
 */
export function regainControlAtEnd(target: Target): string[] {
  const isDeferring = target.role !== undefined;
  return [...(isDeferring ? ['SET CONSTRAINTS ALL IMMEDIATE'] : []), ...regainControl(target)];
}
