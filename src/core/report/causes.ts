import type { ErrorReport } from '../../errors.ts';

/** A tenant's names, and its error or its problem in `status`. */
export interface Affected {
  /** Null for the master schema. */
  readonly clerkOrgId: string | null;
  readonly schema: string;
  readonly error: Pick<ErrorReport, 'message'> &
    Partial<Pick<ErrorReport, 'migration' | 'sqlstate'>> & { readonly code?: string | undefined };
}

/** Tenants that are affected for one reason. */
export interface Cause<T> {
  /** The message that the tenants share; `<schema>`, `<organization>`, `<n>` ... stand for what differs. */
  readonly message: string;
  /** The messages differ in more than the tenants' names. */
  readonly hasValues: boolean;
  /** At least one. */
  readonly tenants: readonly T[];
}

/**
 * Groups tenants by code, migration, SQLSTATE and message. The tenants' own names in the message, and values
 * such as numbers, times and data, make no difference. The largest group comes first. Pure.
 */
export function groupByCause<T>(tenants: Iterable<T>, affectedOf: (tenant: T) => Affected): Cause<T>[] {
  const bareOf = remembered(withoutValues);
  const described = Array.from(tenants, (tenant) => ({ tenant, ...describe(affectedOf(tenant), bareOf) }));
  return [...Map.groupBy(described, ({ key }) => key).values()]
    .toSorted((one, other) => other.length - one.length)
    .map((members) => {
      const shared = (of: 'message' | 'nameless') =>
        members.every((member) => member[of] === members[0]?.[of]) ? members[0]?.[of] : undefined;
      const message = shared('message') ?? shared('nameless');
      return {
        message: message ?? members[0]?.bare ?? '',
        hasValues: message === undefined,
        tenants: members.map(({ tenant }) => tenant),
      };
    });
}

function describe({ error, ...names }: Affected, bareOf: typeof withoutValues) {
  const { code, migration, sqlstate, message } = error;
  const nameless = withoutNames(message, names);
  const bare = bareOf(nameless, sqlstate);
  return { message, nameless, bare, key: JSON.stringify([code, migration, sqlstate, bare]) };
}

/** Tens of thousands of tenants may have the same message. */
function remembered(of: typeof withoutValues): typeof withoutValues {
  const known = new Map<string, string>();
  return (message, sqlstate) => {
    const key = `${sqlstate} ${message}`;
    const bare = known.get(key) ?? of(message, sqlstate);
    known.set(key, bare);
    return bare;
  };
}

/** Replaces a tenant's schema and organization id by placeholders. Pure. */
export function withoutNames(text: string, { clerkOrgId, schema }: Omit<Affected, 'error'>): string {
  return withoutName(withoutName(text, schema, '<schema>'), clerkOrgId ?? '', '<organization>');
}

/** As a word or a part of a longer name: `tid_1` in "tid_1.users" and "tid_1_users". */
function withoutName(text: string, name: string, placeholder: string): string {
  if (name === '' || !text.includes(name)) return text;
  const escaped = name.replaceAll(/\W/g, String.raw`\$&`);
  return text.replaceAll(new RegExp(`(?<![A-Za-z0-9])${escaped}(?![A-Za-z0-9])`, 'g'), placeholder);
}

const TIME = /\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?/g;
const UUID = /[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}/gi;
const EMAIL = /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g;
/** Letters and digits in a row that are too long for a name: a key of another system. */
const KEY = /\b(?:[A-Za-z]+_)?(?=[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z\d]{16,}\b/g;
const HEX = /\b0x[\da-f]+\b/gi;
/** A number that stands alone; not a part of a name such as 001-init or users_2. */
const NUMBER = /(?<![\w.-])-?\d+(?:[.,]\d+)*(?![\w-]|\.\w)/g;
/** How a check tells the number of rows that it found. */
const ROWS = /\b(?:this row|(?:more than )?\d+ rows)\b/g;

/**
 * In errors of the classes 22 (data exception) and P0 (RAISE), quoted words are data; elsewhere they are names:
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function withoutValues(message: string, sqlstate = ''): string {
  const bare = message
    .replaceAll(UUID, '<id>')
    .replaceAll(TIME, '<time>')
    .replaceAll(EMAIL, '<email>')
    .replaceAll(KEY, '<id>')
    .replaceAll(HEX, '<n>')
    .replaceAll(ROWS, '<n> rows')
    .replaceAll(NUMBER, '<n>');
  if (/^(?:22|P0)/.test(sqlstate)) return bare.replaceAll(/"[^"]*"/g, '"<value>"');
  // What a migration throws itself: a quoted word with a digit is data more often than a name.
  return sqlstate === '' ? bare.replaceAll(/(["'])[^"'\s]*\d[^"'\s]*\1/g, '$1<value>$1') : bare;
}
