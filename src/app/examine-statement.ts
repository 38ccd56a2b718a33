import { scan, type ScannedSql } from './scan.ts';

/** What a statement would do to its session. */
export interface SessionEffects {
  /** Why a call may not send it; undefined if it may. */
  readonly refusal?: string | undefined;
  /** Settings that it may change beyond the transaction, in lower case. */
  readonly settings: readonly string[];
  /** It may change settings that its text does not name. */
  readonly changesOthers: boolean;
}

/** Statements that end the transaction, or leave something in the session, by their first words. */
const REFUSED: readonly (readonly [words: RegExp, reason: string])[] = [
  [/^(?:begin|start|commit|end|abort)\b/i, 'it begins or ends a transaction: a call is one'],
  [/^rollback\b(?!\s+(?:(?:work|transaction)\s+)?to\b)/i, 'it ends the transaction: throw an error instead'],
  [/^prepare\s+transaction\b/i, 'it ends the transaction'],
  [/^(?:prepare|execute|deallocate)\b/i, 'prepared statements stay in the session'],
  [/^(?:listen|unlisten)\b/i, 'LISTEN stays in the session: use a connection of its own'],
  [/^declare\b.*\bwith\s+hold\b/is, 'a cursor WITH HOLD outlives the call'],
  [/^(?:discard|load)\b/i, 'it changes the session'],
  [/^reset\s+all\b/i, 'some settings could not be read before: reset settings by their names'],
  [/^(?:set|reset)\b.*\bsession(?:\s+|_)authorization\b/is, 'it changes who the session is'],
];

const SESSION_LOCK = /\bpg_(?:try_)?advisory_lock(?:_shared)?"?\s*\(/i;

/** What SET writes in words of its own (https://www.postgresql.org/docs/current/sql-set.html). */
const IN_WORDS: readonly (readonly [words: RegExp, settings: readonly string[]])[] = [
  [/^(?:local|constraints|transaction)\b/i, []],
  [/^(?:session\s+)?time\s+zone\b/i, ['timezone']],
  [/^(?:session\s+)?role\b/i, ['role']],
  [/^(?:session\s+)?schema\b/i, ['search_path']],
  [/^(?:session\s+)?names\b/i, ['client_encoding']],
  [/^(?:session\s+)?xml\s+option\b/i, ['xmloption']],
  [
    /^session\s+characteristics\b/i,
    ['default_transaction_isolation', 'default_transaction_read_only', 'default_transaction_deferrable'],
  ],
];

const SET = /\b(?:set|reset)\s+/gi;
const NAME = /^(?:session\s+)?((?:"[^"]+"|[\w$]+)(?:\s*\.\s*(?:"[^"]+"|[\w$]+))*)/i;
const SET_CONFIG = /\bset_config"?\s*\(\s*(?:e?'(\d+)'(?=\s*,)|\$(\d+)(?=\s*[,:])|())/gi;

const NOTHING: SessionEffects = { settings: [], changesOthers: false };

/** What a statement would do to its session, as far as its text tells. Pure. @param values bound ones */
export function examineStatement(text: string, values: readonly unknown[] = []): SessionEffects {
  const scanned = scan(text);
  const statement = scanned.code.replace(/^[\s;(]+/, '');
  const refused = REFUSED.find(([words]) => words.test(statement));
  if (refused !== undefined) return { ...NOTHING, refusal: refused[1] };
  if (SESSION_LOCK.test(statement))
    return {
      ...NOTHING,
      refusal: 'an advisory lock of the session outlives the call: use pg_advisory_xact_lock',
    };
  const isBlock = /^do\b/i.test(statement);
  const [, set] = /^(?:set|reset)\s+(.*)/is.exec(statement) ?? [];
  const named = [
    ...(set === undefined ? [] : namesAfterSet(set)),
    ...(isBlock ? scanned.literals.flatMap(namesInBlock) : []),
  ];
  const configured = namesInSetConfig({ ...scanned, code: statement }, values);
  if ([...named, ...configured].includes('session_authorization'))
    return { ...NOTHING, refusal: 'it changes who the session is' };
  return {
    settings: [...named, ...configured.filter((name) => name !== undefined)],
    changesOthers: isBlock || /^call\b/i.test(statement) || configured.includes(undefined),
  };
}

/** @param set what follows SET or RESET */
function namesAfterSet(set: string): readonly string[] {
  const words = IN_WORDS.find(([pattern]) => pattern.test(set));
  if (words !== undefined) return words[1];
  const [, name] = NAME.exec(set) ?? [];
  return name === undefined ? [] : [name.replaceAll(/["\s]/g, '').toLowerCase()];
}

/** Undefined stands for a name that is an expression. */
function namesInSetConfig(
  { code, literals }: ScannedSql,
  values: readonly unknown[],
): (string | undefined)[] {
  return [...code.matchAll(SET_CONFIG)].map(([, literal, bound]) => {
    const name = literal === undefined ? values[Number(bound) - 1] : literals[Number(literal)];
    return typeof name === 'string' ? name.toLowerCase() : undefined;
  });
}

/** Names in the code of a DO block, and in the texts that it executes. */
function namesInBlock(block: string): string[] {
  const scanned = scan(block);
  return [
    ...[...scanned.code.matchAll(SET)].flatMap(({ 0: word, index }) =>
      namesAfterSet(scanned.code.slice(index + word.length)),
    ),
    ...namesInSetConfig(scanned, []).filter((name) => name !== undefined),
    ...scanned.literals.flatMap(namesInBlock),
  ];
}
