/**
 * Whether a COMMIT may have taken place in spite of this error. The server's own errors come instead of one; a lost
 * connection, or a pooler that has lost its server, says nothing of it. Pure.
 */
export function leavesCommitOpen(sqlstate: string | undefined): boolean {
  return sqlstate === undefined || sqlstate === '08P01';
}
