import { isError } from './is-error.ts';

/**
 * Keeps secrets out of output and records. Every error masks what looks like a secret, such
 * as a password in a URL. Known secrets, such as the connection's password, are also masked wherever free
 * text leaves the program.
 */

const MASK = '***';

/** Scheme, user, and all from the colon to the last @ of a word. Bounded: statements can be megabytes. */
const IN_URL = /(\b[a-z][a-z0-9+.-]{0,30}:\/{1,3}[^\s:/?#@]{0,200}):(\S{0,1000})@/gi;
/** As in configuration.md: a placeholder is not a password. */
const PLACEHOLDER = /^(?:password|<[^>]*>|\*+|\u2026|\.\.\.)$/i;

const QUOTED = String.raw`(?:E'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*(?:'|$)|(?:U&)?'[^']*(?:''[^']*)*(?:'|$)|\$(\w*)\$[\s\S]*?(?:\$\3\$|$)|"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|$))`;
const NAME = String.raw`\w{0,40}(?:password|passwd|passphrase|secret)\w{0,40}`;
/** PASSWORD '...' in SQL, password = '...', "password": "...", and password=... in URLs, .env files and for libpq. */
const NAMED = new RegExp(
  String.raw`(\b${NAME}["']?(?:\s+|\s*[=:]\s*))(?:(${QUOTED})|((?<==)[^\s'"&;,$*<][^\s'"&;,]*))`,
  'gi',
);

/** '' is no password, '***' is already masked, '<the password>' is a placeholder in a hint. */
const EMPTY = /^['"](?:<[^>]*>|\**)['"]$/;

/** Masks what looks like a secret: passwords in URLs, in SQL that sets one, in connection strings. */
export function maskSecrets(text: string): string {
  return text
    .replace(IN_URL, (whole, before: string, password: string) =>
      PLACEHOLDER.test(password) ? whole : `${before}:${MASK}@`,
    )
    .replace(NAMED, (whole, name: string, quoted: string | undefined) => {
      if (quoted === undefined) return `${name}${MASK}`;
      const mark = quoted.endsWith('"') ? '"' : "'";
      return EMPTY.test(quoted) ? whole : `${name}${mark}${MASK}${mark}`;
    });
}

/** The secrets that maskSecrets finds in a statement: the server's message may repeat them. */
export function secretsIn(statement: string): string[] {
  const found = [...statement.matchAll(NAMED)].map(([, , quoted, , bare]) => quoted ?? bare ?? '');
  return found
    .map((text) => text.replace(/^(?:E|U&)?(?:'|"|\$\w*\$)/i, '').replace(/(?:'|"|\$\w*\$)$/, ''))
    .filter(isDistinctive);
}

/** Whether a secret can be masked everywhere. Masking a common word, number or short text would reveal it. */
function isDistinctive(secret: string): boolean {
  return secret.length >= 8 && (secret.length >= 24 || !/^(?:[\p{L}_. -]+|\d+)$/u.test(secret));
}

/** Creates a function that masks what looks like a secret, and these secrets with any escaping. */
export function createConcealer(secrets: readonly (string | undefined)[]): (text: string) => string {
  const forms = new Set<string>();
  const shapes: RegExp[] = [];
  for (const secret of secrets) {
    if (secret === undefined || !isDistinctive(secret)) continue;
    forms.add(secret).add(JSON.stringify(secret).slice(1, -1)).add(secret.replaceAll("'", "''"));
    const shape = shapeOf(secret);
    if (shape !== undefined) shapes.push(shape);
    if (secret.isWellFormed()) forms.add(encodeURIComponent(secret)).add(encodeURI(secret));
  }
  // Longest first: a secret may contain another.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  return (text) => {
    const exactly = longestFirst.reduce((masked, form) => masked.replaceAll(form, MASK), maskSecrets(text));
    return shapes.reduce((masked, shape) => masked.replace(shape, MASK), exactly);
  };
}

/** One character, plain or escaped: %2F, \\u002f; and $1, which Knex makes of a question mark. */
const BETWEEN = String.raw`(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\$\d+|[^\p{L}\p{N}])`;

/** Matches a secret by its letters and digits with any escapes in between; undefined if there are few. */
function shapeOf(secret: string): RegExp | undefined {
  const runs = secret.match(/[\p{L}\p{N}]+/gu) ?? [];
  const gaps = secret.match(/[^\p{L}\p{N}]+/gu) ?? [];
  if (runs.join('').length < 6 || gaps.length === 0) return undefined;
  const inner = /^[\p{L}\p{N}]/u.test(secret) ? gaps : gaps.slice(1);
  const parts = runs.map((run, at) => {
    const gap = inner[at];
    return at === runs.length - 1 || gap === undefined ? run : `${run}${BETWEEN}{1,${gap.length * 4}}`;
  });
  return new RegExp(parts.join(''), 'giu');
}

/**
 * The secrets in variables: values of password variables, and passwords in URLs, as written and decoded. A
 * password equal to the user, database or host name is not masked.
 */
export function secretsOf(variables: Readonly<Record<string, string | undefined>>): string[] {
  const { DB_USER, DB_NAME, DB_HOST } = variables;
  return Object.entries(variables)
    .flatMap(([name, value = '']) => [
      ...(/PASSWORD|PASSPHRASE/i.test(name) ? [value] : []),
      ...passwordsOfUrl(value),
    ])
    .filter((secret) => ![DB_USER, DB_NAME, DB_HOST].includes(secret));
}

function passwordsOfUrl(value: string): string[] {
  const written = [...value.matchAll(IN_URL)].map(([, , password = '']) => password);
  const asParameter = [...value.matchAll(/[?&]password=([^&#\s]*)/gi)].map(([, password = '']) => password);
  return [...written, ...asParameter].flatMap((password) => {
    try {
      return [password, decodeURIComponent(password)];
    } catch {
      return [password];
    }
  });
}

/** Maximum depth of causes, which may be circular. */
const MAX_DEPTH = 8;

/**
 * Reduces an error's cause to errors with masked texts. Other objects are dropped: a connection or pool holds
 * the password.
 * @param own returns the replacement of a known error
 */
export function plainCause(
  cause: unknown,
  conceal: (text: string) => string,
  own: (error: Error) => Error | undefined,
  depth = 0,
): unknown {
  if (typeof cause === 'string') return conceal(cause);
  if (typeof cause !== 'object' || cause === null) return typeof cause === 'function' ? undefined : cause;
  if (!isError(cause) || depth > MAX_DEPTH) return undefined;
  const known = own(cause);
  if (known !== undefined) return known;
  const plain: PropertyDescriptorMap = {};
  let isPlain = true;
  for (const key of Reflect.ownKeys(cause)) {
    const { value: plainValue, enumerable = false } = Object.getOwnPropertyDescriptor(cause, key) ?? {};
    // In some versions of V8 the stack is an accessor.
    const value: unknown = key === 'stack' ? cause.stack : plainValue;
    const parts: readonly unknown[] = Array.isArray(value) && key === 'errors' ? value : [value];
    const kept = parts.map((part) => plainCause(part, conceal, own, depth + 1));
    const isSame = kept.every((part, at) => part === parts[at]);
    isPlain &&= isSame;
    const masked = parts === value ? kept.filter((part) => part !== undefined) : kept[0];
    if (isSame || masked !== undefined)
      plain[key] = { value: isSame ? value : masked, enumerable, configurable: true, writable: true };
  }
  // The copy keeps the error's class. An error with nothing to mask is returned itself.
  return isPlain ? cause : (Object.create(Object.getPrototypeOf(cause) as object, plain) as unknown);
}
