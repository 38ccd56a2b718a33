/**
 * Keeps secrets out of what is said and stored. This module imports nothing.
 *
 * What has the form of a secret, a password in a URL, say, is masked wherever an error is made. What is known to be one,
 * the password of the connection, is masked besides wherever free text leaves the program.
 */

export const MASK = '***';

/**
 * A scheme, a user, and all that stands between the colon and the last @ before white space. What repeats is bounded,
 * here and below: statements of megabytes go through this.
 */
const IN_URL = /(\b[a-z][a-z0-9+.-]{0,30}:\/{1,3}[^\s:/?#@]{0,200}):(\S{0,1000})@/gi;
/** As configuration.md writes it: a word that stands for a password is none. */
const PLACEHOLDER = /^(?:password|<[^>]*>|\*+|…|\.\.\.)$/i;

const QUOTED = String.raw`(?:E'[^'\\]*(?:(?:''|\\[\s\S])[^'\\]*)*(?:'|$)|(?:U&)?'[^']*(?:''[^']*)*(?:'|$)|\$(\w*)\$[\s\S]*?(?:\$\3\$|$)|"[^"\\]*(?:\\[\s\S][^"\\]*)*(?:"|$))`;
const NAME = String.raw`\w{0,40}(?:password|passwd|passphrase|secret)\w{0,40}`;
/** PASSWORD '…' as SQL has it, password = '…', "password": "…", and password=… as URLs, .env files and libpq have it. */
const NAMED = new RegExp(
  String.raw`(\b${NAME}["']?(?:\s+|\s*[=:]\s*))(?:(${QUOTED})|((?<==)[^\s'"&;,$*<][^\s'"&;,]*))`,
  'gi',
);

/** '' is no password, and '***' is one that has been masked; a remedy's '<the password>' is none either. */
const EMPTY = /^['"](?:<[^>]*>|\**)['"]$/;

/** Masks what has the form of a secret: passwords in URLs, in SQL that sets one, in connection strings. */
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

/** The contents of what maskSecrets masks in an SQL statement: a server may repeat them in its message. */
export function secretsIn(statement: string): string[] {
  const found = [...statement.matchAll(NAMED)].map(([, , quoted, , bare]) => quoted ?? bare ?? '');
  return found
    .map((text) => text.replace(/^(?:E|U&)?(?:'|"|\$\w*\$)/i, '').replace(/(?:'|"|\$\w*\$)$/, ''))
    .filter(isDistinctive);
}

/**
 * A text that can be looked for without tearing others apart. A word, a number or anything short may stand anywhere for
 * other reasons, and its absence would tell it.
 */
function isDistinctive(secret: string): boolean {
  return secret.length >= 8 && (secret.length >= 24 || !/^(?:[\p{L}_. -]+|\d+)$/u.test(secret));
}

/** A function that masks what has the form of a secret, and these secrets in each way that they may be written. */
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
  // One that holds another goes first.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  return (text) => {
    const exactly = longestFirst.reduce((masked, form) => masked.replaceAll(form, MASK), maskSecrets(text));
    return shapes.reduce((masked, shape) => masked.replace(shape, MASK), exactly);
  };
}

/** One character as it is, or what escapes make of it: %2F, \\u002f; and $1, which Knex makes of a question mark. */
const BETWEEN = String.raw`(?:%[0-9a-f]{2}|\\u[0-9a-f]{4}|\$\d+|[^\p{L}\p{N}])`;

/** A secret by its letters and digits, however what stands between them was written; undefined where they are few. */
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
 * The secrets that variables hold: values of password variables, and passwords in URLs, as written and decoded. A
 * password that is the name of the user, say, as well is none.
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

/** Causes of causes are followed so far: they may go in a circle. */
const MAX_DEPTH = 8;

/**
 * What an error may keep as its cause: errors with what is text in them, masked. Objects go, whatever they are: a
 * connection or a pool that somebody put there holds the password.
 * @param own gives an error that is kept as it is returned
 */
export function plainCause(
  cause: unknown,
  conceal: (text: string) => string,
  own: (error: Error) => Error | undefined,
  depth = 0,
): unknown {
  if (typeof cause === 'string') return conceal(cause);
  if (typeof cause !== 'object' || cause === null) return typeof cause === 'function' ? undefined : cause;
  if (!(cause instanceof Error) || depth > MAX_DEPTH) return undefined;
  const known = own(cause);
  if (known !== undefined) return known;
  const plain: PropertyDescriptorMap = {};
  let isPlain = true;
  for (const key of Reflect.ownKeys(cause)) {
    const { value, enumerable } = readable(cause, key);
    const parts: readonly unknown[] = Array.isArray(value) && key === 'errors' ? value : [value];
    const kept = parts.map((part) => plainCause(part, conceal, own, depth + 1));
    if (kept.every((part, at) => part === parts[at])) {
      plain[key] = { value, enumerable, configurable: true, writable: true };
      continue;
    }
    isPlain = false;
    const value2 = parts === value ? kept.filter((part) => part !== undefined) : kept[0];
    if (value2 !== undefined) plain[key] = { value: value2, enumerable, configurable: true, writable: true };
  }
  // The class stays, so that it can be told; the error itself stays where there is nothing to hide in it.
  return isPlain ? cause : (Object.create(Object.getPrototypeOf(cause) as object, plain) as unknown);
}

/** The stack is an accessor of its own in some versions of V8. */
function readable(
  error: object,
  key: PropertyKey,
): { readonly value: unknown; readonly enumerable: boolean } {
  const descriptor = Object.getOwnPropertyDescriptor(error, key);
  const enumerable = descriptor?.enumerable ?? false;
  if (descriptor === undefined || 'value' in descriptor)
    return { value: descriptor?.value as unknown, enumerable };
  return { value: key === 'stack' ? (error as Error).stack : undefined, enumerable };
}
