import { statementOf } from './forbidden.ts';

/** What SET writes in words of its own (https://www.postgresql.org/docs/current/sql-set.html). */
const IN_WORDS: readonly (readonly [words: RegExp, settings: readonly string[]])[] = [
  [/^(?:local|constraints|transaction)\b/i, []],
  [/^(?:session\s+)?(?:time\s+zone|role|schema)\b/i, []],
  [/^(?:session\s+)?names\b/i, ['client_encoding']],
  [/^(?:session\s+)?xml\s+option\b/i, ['xmloption']],
  [
    /^session\s+characteristics\b/i,
    ['default_transaction_isolation', 'default_transaction_read_only', 'default_transaction_deferrable'],
  ],
];

const SET_CONFIG = /\bset_config\s*\(\s*(?:'([^']*)'|\$(\d+)|())/gi;

/**
 * The settings that a statement may change beyond its transaction, besides those that every call restores. Pure.
 * @returns undefined if it may change any
 */
export function settingsChangedBy(text: string, values: readonly unknown[] = []): string[] | undefined {
  const statement = statementOf(text);
  if (/^(?:do|call)\b/i.test(statement)) return undefined;
  const [, set] = /^(?:set|reset)\s+(.*)/is.exec(statement) ?? [];
  if (set !== undefined) {
    const words = IN_WORDS.find(([pattern]) => pattern.test(set));
    if (words !== undefined) return [...words[1]];
    const [, name] = /^(?:session\s+)?((?:"[^"]+"|[\w$]+)(?:\.(?:"[^"]+"|[\w$]+))*)/i.exec(set) ?? [];
    return name === undefined || /^all$/i.test(name) ? undefined : [name.replaceAll('"', '').toLowerCase()];
  }
  const named = [...statement.matchAll(SET_CONFIG)].map(([, name, bound]) =>
    bound === undefined ? name : values[Number(bound) - 1],
  );
  return named.every((name) => typeof name === 'string')
    ? named.map((name) => name.toLowerCase())
    : undefined;
}
