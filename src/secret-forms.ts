/** A part of a text that has the form of a secret. */
export interface SecretPart {
  readonly start: number;
  readonly end: number;
  /** What is shown instead. */
  readonly shown: string;
  /** The secret as written, without its quotes. */
  readonly secret: string;
}

export const MASK = '***';

/** As in configuration.md: a placeholder is not a password. */
const PLACEHOLDER = /^(?:password|<[^>]*>|\*+|\u2026|\.\.\.)$/i;

/** '' is no password, '***' is masked already, '<the password>' is a placeholder in a hint. */
const EMPTY = /^(?:<[^>]*>|\**)$/;

/** The most characters of a user and of a password in a URL. */
const USER = 200;
const PASSWORD = 1_000;

/** How far behind a format string or a concatenation its values are looked for. */
const REACH = 1_000;

/** The most characters of a string in a string. */
const DOUBLED = 2_000;

/**
 * Finds what has the form of a secret: passwords in URLs, and quoted or assigned values behind a name such as
 * "password". Takes time in proportion to the length of the text: every part is looked at once, and every look
 * ahead is limited.
 */
export function findSecrets(text: string): SecretPart[] {
  const parts = [...inUrls(text), ...behindNames(text)].toSorted((a, b) => a.start - b.start);
  let end = 0;
  return parts.filter((part) => {
    const isFree = part.start >= end;
    if (isFree) ({ end } = part);
    return isFree;
  });
}

/** In scheme://user:password@host, all from the colon to the last @ of a word. */
function* inUrls(text: string): Generator<SecretPart> {
  const user = new RegExp(`[^\\s:/?#@]{0,${USER}}:`, 'y');
  let [end, at] = [0, -1];
  for (const { index, 0: mark } of text.matchAll(/(?<=[a-z0-9+.-]):\/{1,3}/gi)) {
    if (index < end) continue;
    user.lastIndex = index + mark.length;
    const most = user.lastIndex + USER + PASSWORD;
    if (at < index) at = text.indexOf('@', index);
    if (at === -1) return;
    if (at > most || !user.test(text)) continue;
    const start = user.lastIndex;
    const rest = text.slice(start, Math.min(most, start + PASSWORD));
    const word = rest.slice(0, rest.search(/\s|$/));
    // A list of URLs without blanks is several words.
    const next = word.indexOf('://');
    const own = next === -1 ? word : word.slice(0, next);
    const isList = next !== -1 && (own.includes('@') || /["',]/.test(own));
    const length = (isList ? own : word).lastIndexOf('@');
    const secret = word.slice(0, Math.max(0, length));
    if (length < 0 || PLACEHOLDER.test(secret)) continue;
    end = start + length;
    yield { start, end, shown: MASK, secret };
  }
}

const NAME = /(?:password|passwd|passphrase|secret)\w*/gi;
/** Blanks and comments. */
const GAP = String.raw`(?:\s|/\*(?:[^*/]|\*(?!/)|/(?!\*)|/\*[^*]{0,300}\*/){0,300}\*/|--[^\n]{0,300}\n){0,100}`;
const BLANKS = new RegExp(GAP, 'y');
/**
 * Between a name and its value: a comma only if the name is a string in SQL, nothing if it is an identifier in quotes
 * (OPTIONS ("password" '...')), and the middle of the server's "Key (password)=(...)".
 */
const LINK = new RegExp(
  String.raw`(?:\\*["'])+${GAP}(?:=>|:=|[=:]|TO\b)|(?:\\*["'])*\\*'${GAP},|\\*"(?=${GAP}(?:E|U&)?(?:\\*'|\$\w*\$))|\)=\(|${GAP}(?:=>|:=|[=:]|TO\b)`,
  'iy',
);
/** PASSWORD'...' without a blank, and not the end of a string or of a sentence. */
const CLOSE = /'(?=[^\s'"),.;:=\]])/y;
/** The beginning of a literal, also of one in a string, where quotes are doubled or escaped. */
const OPENING = /(E|U&|N)?(?:('+)|(\\+['"]|")|\$\w*\$)/iy;
const PLAIN = /[^']*(?:'(?:'|[^\S\n]*\n\s*'|\s*--[^\n]{0,300}\n\s*')[^']*)*/y;
const ESCAPED = /[^'\\]*(?:(?:''|'[^\S\n]*\n\s*'|\\[^])[^'\\]*)*/y;
const JSON_TEXT = /[^"\\]*(?:\\[^][^"\\]*)*/y;
/** As libpq reads it: a backslash escapes a blank. */
const BARE = /(?![$*<])[^\s'"&;,]+(?:(?<=\\)\s[^\s'"&;,]*)*/y;
/** The value is among the arguments of format(), on the other side of ||, or the argument of crypt(). */
const ELSEWHERE = new RegExp(
  String.raw`'*%(?:\d+\$)?-?\d*[sLI][^'$]{0,300}(?:'+|\$\w*\$)|'+${GAP}(?:\|\||,)|(?<==${GAP})[\w.]{1,63}\(`,
  'y',
);
/** The next literal, or the end of the statement. */
const NEXT = /;|(?:\b(?:E|U&))?'|\$\w*\$/i;

/** PASSWORD '...', password = '...', "password": "...", and password=... in URLs, .env files and for libpq. */
function* behindNames(text: string): Generator<SecretPart> {
  let end = 0;
  for (const { index, 0: name } of text.matchAll(NAME)) {
    if (index < end) continue;
    const after = index + name.length;
    const link = matchAt(LINK, text, after);
    const from = after + (link?.[0].length ?? 0);
    const at = from + (matchAt(BLANKS, text, from)?.[0].length ?? 0);
    const elsewhere = matchAt(ELSEWHERE, text, at);
    if (at === after && elsewhere === undefined && matchAt(CLOSE, text, at) === undefined) continue;
    const found = elsewhere
      ? literalsAfter(text, at + elsewhere[0].length)
      : [
          literalAt(text, at) ??
            (at === from && /[=(]$/.test(link?.[0] ?? '') ? bareAt(text, at) : undefined),
        ];
    for (const part of found) {
      if (part === undefined) continue;
      ({ end } = part);
      if (!EMPTY.test(part.secret)) yield part;
    }
  }
}

/** The literal that begins at an offset; its secret is empty if it is. */
function literalAt(text: string, start: number): SecretPart | undefined {
  const opening = matchAt(OPENING, text, start);
  if (opening === undefined) return undefined;
  const [all, prefix = '', quotes = '', other] = opening;
  const from = start + all.length;
  const upTo = (mark: string, secret: string, length: number): SecretPart => ({
    start,
    end: Math.min(text.length, length),
    shown: `${mark}${MASK}${mark}`,
    secret,
  });
  /** @param escape what stands for the closing mark within the literal; empty if nothing does */
  const until = (close: string, mark: string, escape = '') => {
    let found = text.indexOf(close, from);
    while (found !== -1 && escape.length > 0 && text.startsWith(escape, found))
      found = text.indexOf(close, found + escape.length);
    const to = found === -1 ? text.length : found;
    return upTo(mark, text.slice(from, to), to + close.length);
  };
  const by = (rest: RegExp, mark: string, first: number) => {
    const secret = matchAt(rest, text, first)?.[0] ?? '';
    return upTo(mark, secret, first + secret.length + 1);
  };
  if (other === '"') return by(JSON_TEXT, '"', from);
  if (other !== undefined) return until(other, other);
  if (quotes === '') return until(all, all);
  if (quotes.length % 2 === 1)
    return by(prefix.toUpperCase() === 'E' ? ESCAPED : PLAIN, "'", start + prefix.length + 1);
  // Two quotes are an empty string, or open a string in a string.
  const isString = text.slice(from, from + DOUBLED).includes(quotes);
  return isString ? until(quotes, quotes, quotes.repeat(2)) : upTo(quotes, '', from);
}

/** The literals up to the end of the statement. */
function* literalsAfter(text: string, from: number): Generator<SecretPart> {
  for (let at = from; at < from + REACH;) {
    // Only a part: a search to the end of a long text, for each name in it, would take hours.
    const next = NEXT.exec(text.slice(at, from + REACH));
    if (next === null || next[0] === ';') return;
    const part = literalAt(text, at + next.index);
    if (part !== undefined) yield part;
    at = part?.end ?? at + next.index + 1;
  }
}

function bareAt(text: string, start: number): SecretPart | undefined {
  const secret = matchAt(BARE, text, start)?.[0];
  return secret === undefined ? undefined : { start, end: start + secret.length, shown: MASK, secret };
}

/** What a sticky expression matches at an offset. */
function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | undefined {
  expression.lastIndex = at;
  return expression.exec(text) ?? undefined;
}
