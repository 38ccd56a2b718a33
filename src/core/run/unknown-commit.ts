/** A lost connection, or a pooler that lost its server, leaves open whether the COMMIT succeeded. Pure. */
export function leavesCommitOpen(sqlstate: string | undefined): boolean {
  return sqlstate === undefined || sqlstate === '08P01';
}
