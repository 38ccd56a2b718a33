/** A comment, or what may stand before a statement's first word. */
const BEFORE = /^(?:\s|;|\(|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)+/;

/** Statements that end the transaction, or leave something in the session, by their first words. */
const REFUSED: readonly (readonly [words: RegExp, reason: string])[] = [
  [/^(?:begin|start\s+transaction|commit|end|abort)\b/i, 'it begins or ends a transaction: a call is one'],
  [/^rollback\b(?!\s+(?:(?:work|transaction)\s+)?to\b)/i, 'it ends the transaction: throw an error instead'],
  [/^prepare\s+transaction\b/i, 'it ends the transaction'],
  [/^(?:prepare|execute|deallocate)\b/i, 'prepared statements stay in the session'],
  [/^(?:listen|unlisten)\b/i, 'LISTEN stays in the session: use a connection of its own'],
  [/^(?:discard|load)\b/i, 'it changes the session'],
  [/^(?:set|reset)\b[^;]*\bsession[\s_]+authorization\b/i, 'it changes who the session is'],
];

const SESSION_LOCK = /\bpg_(?:try_)?advisory_lock(?:_shared)?\s*\(/i;

/** A statement from its first word on. */
export function statementOf(text: string): string {
  return text.replace(BEFORE, '');
}

/** Why a call may not send this statement; undefined if it may. Pure. */
export function refusalOf(text: string): string | undefined {
  const statement = statementOf(text);
  const found = REFUSED.find(([words]) => words.test(statement));
  if (found !== undefined) return found[1];
  return SESSION_LOCK.test(statement)
    ? 'an advisory lock of the session outlives the call: use pg_advisory_xact_lock'
    : undefined;
}
