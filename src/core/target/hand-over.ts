import { identifier } from '../../db/sql.ts';
import { setSearchPath } from '../../db/transaction.ts';
import type { Target } from './target.ts';

/**
 * Where tenantctl's own statements look names up. Where a tenant's role may create in its schema, nothing of theirs is
 * looked up there: a function or an operator that somebody has put there could be taken for PostgreSQL's own
 * (https://wiki.postgresql.org/wiki/A_Guide_to_CVE-2018-1058).
 */
export function ownSearchPath(target: Target): readonly string[] {
  return target.role === undefined ? target.searchPath : ['public'];
}

/** The statements that put an open transaction into the hands of a target's migrations: their search_path, their role. */
export function handOver(target: Target): string[] {
  const path = setSearchPath(target.searchPath);
  return target.role === undefined ? [path] : [`SET LOCAL ROLE ${identifier(target.role)}`, path];
}

/** The statements that take it back between two migrations: what comes next is tenantctl's own. */
export function takeOver(target: Target): string[] {
  return target.role === undefined ? ['RESET ROLE'] : ['RESET ROLE', setSearchPath(ownSearchPath(target))];
}

/**
 * The statements that take it back for good. What was put off to the end of the transaction is done before, as the role
 * that caused it: up to PostgreSQL 17 it would be done as the role that commits
 * (https://www.postgresql.org/docs/release/18.0/, "AFTER triggers").
 */
export function takeBack(target: Target): string[] {
  return target.role === undefined
    ? takeOver(target)
    : ['SET CONSTRAINTS ALL IMMEDIATE', ...takeOver(target)];
}
