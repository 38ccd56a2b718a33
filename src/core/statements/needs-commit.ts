/** Space or comments between two words. */
const GAP = String.raw`(?:\s|--[^\n]*\n|/\*[^]*?\*/)+`;

const NEEDS_COMMIT = new RegExp(
  [
    ['alter', String.raw`type\b[^;]{0,500}?\badd`, 'value'],
    ['on', 'commit', '(?:drop|delete)'],
    ['set', 'constraints'],
  ]
    .map((words) => String.raw`\b${words.join(GAP)}\b`)
    .join('|'),
  'i',
);

/**
 * Whether a later migration depends on the COMMIT after this text: a new value of an enum cannot be used
 * before it (https://www.postgresql.org/docs/current/sql-altertype.html#id-1.9.3.42.7), temporary tables
 * with ON COMMIT and deferred constraints last until then. Dynamic SQL counts, and so does a string that only
 * contains these words: a COMMIT too many does no harm. Pure.
 */
export function needsCommit(text: string): boolean {
  return NEEDS_COMMIT.test(text);
}

/**
 * Whether a statement failed only because an earlier migration was not committed yet: a function has added the
 * value of an enum, or deferred constraints of rows that it wrote are still to be checked. Pure.
 */
export function lacksCommit(sqlstate: string | undefined, message: string): boolean {
  return sqlstate === '55P04' || (sqlstate === '55006' && message.includes('pending trigger events'));
}
