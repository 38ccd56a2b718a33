import { CUT } from './bounded.ts';
import { isError } from './is-error.ts';
import { findSecrets, MASK } from './secret-forms.ts';

/**
 * Keeps secrets out of output and records. Every error masks what looks like a secret, such
 * as a password in a URL. Known secrets, such as the connection's password, are also masked wherever free
 * text leaves the program.
 */

/** Masks what looks like a secret: passwords in URLs, in SQL that sets one, in connection strings. */
export function maskSecrets(text: string): string {
  let [masked, end] = ['', 0];
  for (const part of findSecrets(text)) {
    masked += text.slice(end, part.start) + part.shown;
    ({ end } = part);
  }
  return end === 0 ? text : masked + text.slice(end);
}

/** Secrets of one statement that are looked for in the server's message. */
const OF_STATEMENT = 1_000;

/** The secrets that maskSecrets finds in a statement, as written and as meant: the server's message may repeat them. */
export function secretsIn(statement: string): string[] {
  return findSecrets(statement)
    .slice(0, OF_STATEMENT)
    .flatMap(({ secret }) => [secret, secret.replaceAll("''", "'"), secret.replaceAll(/\\([^])/g, '$1')]);
}

/** A shorter secret is not masked in free text: nothing else would remain of it. */
const LEAST = 4;

/** Words of tenantctl's own texts: masking them would reveal the password, and hide nothing. */
const OWN_WORDS = /^(?:password|postgres|public|tenants?|tenantctl)$/i;

/** Whether a secret is masked also within a longer word. Others are masked where they stand alone. */
function isDistinctive(secret: string): boolean {
  return secret.length >= 8 && (secret.length >= 24 || !/^(?:[\p{L}_. -]+|\d+)$/u.test(secret));
}

/** Creates a function that masks what looks like a secret, and these secrets with any escaping. */
export function createConcealer(secrets: readonly (string | undefined)[]): (text: string) => string {
  const forms = new Set<string>();
  const shapes: RegExp[] = [];
  for (const secret of new Set(secrets)) {
    if (secret === undefined || secret.length < LEAST || OWN_WORDS.test(secret)) continue;
    forms.add(secret).add(JSON.stringify(secret).slice(1, -1)).add(secret.replaceAll("'", "''"));
    const shape = isDistinctive(secret) ? shapeOf(secret) : undefined;
    if (shape !== undefined) shapes.push(shape);
    if (secret.isWellFormed()) forms.add(encodeURIComponent(secret)).add(encodeURI(secret));
  }
  // Longest first: a secret may contain another.
  const longestFirst = [...forms].toSorted((a, b) => b.length - a.length);
  return (text) => {
    const exactly = longestFirst.reduce(maskForm, maskSecrets(text));
    return maskEdges(
      shapes.reduce((masked, shape) => masked.replace(shape, MASK), exactly),
      longestFirst,
    );
  };
}

const WORD = /[\p{L}\p{N}_]/u;

function maskForm(text: string, form: string): string {
  if (isDistinctive(form)) return text.replaceAll(form, MASK);
  const [begins, ends] = [WORD.test(form.charAt(0)), WORD.test(form.charAt(form.length - 1))];
  return text.replaceAll(form, (found, at: number) => {
    const isPart =
      (begins && WORD.test(text.charAt(at - 1))) || (ends && WORD.test(text.charAt(at + form.length)));
    return isPart ? found : MASK;
  });
}

/** Where a text was cut, masks what may be left of a secret: its beginning before the cut, its end after it. */
function maskEdges(text: string, forms: readonly string[]): string {
  if (!text.includes(CUT)) return text;
  const parts = text.split(CUT);
  const longest = (form: string, isPart: (length: number) => boolean) => {
    let length = form.length - 1;
    while (length >= LEAST && !isPart(length)) length -= 1;
    return length >= LEAST ? length : 0;
  };
  const masked = parts.map((part, at) => {
    const heads = forms.map((form) => longest(form, (length) => part.endsWith(form.slice(0, length))));
    const tails = forms.map((form) => longest(form, (length) => part.startsWith(form.slice(-length))));
    const head = at < parts.length - 1 ? Math.max(0, ...heads) : 0;
    const tail = at > 0 ? Math.max(0, ...tails) : 0;
    const rest = part.slice(tail, part.length - head);
    return `${tail > 0 ? MASK : ''}${rest}${head > 0 ? MASK : ''}`;
  });
  return masked.join(CUT);
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

/** Variables that hold the connection's own password. */
const OWN_VARIABLES = /^(?:DB_PASSWORD|PGPASSWORD|DATABASE_URL|DB_DIRECT_URL)$/;

/**
 * The secrets in variables: values of password variables, and passwords in URLs, as written and decoded. A
 * password equal to the user, database or host name is not masked, nor is an ordinary word in another program's
 * variable.
 */
export function secretsOf(variables: Readonly<Record<string, string | undefined>>): string[] {
  const { DB_USER, DB_NAME, DB_HOST } = variables;
  return Object.entries(variables)
    .flatMap(([name, value = '']) => {
      const found = [...(/PASSWORD|PASSPHRASE/i.test(name) ? [value] : []), ...passwordsOfUrl(value)];
      return OWN_VARIABLES.test(name) ? found : found.filter(isDistinctive);
    })
    .filter((secret) => ![DB_USER, DB_NAME, DB_HOST].includes(secret));
}

function passwordsOfUrl(value: string): string[] {
  if (!value.includes(':/')) return [];
  return findSecrets(value).flatMap(({ secret }) => {
    try {
      return [secret, decodeURIComponent(secret)];
    } catch {
      return [secret];
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
