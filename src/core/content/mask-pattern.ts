import { literal } from '../../db/sql.ts';

/** A part of a pattern that takes some digits of a row's number. */
interface Placeholder {
  readonly kind: keyof typeof RADIX;
  readonly width: number;
  /** How many numbers the placeholders to its right distinguish. */
  readonly divisor: bigint;
}

export interface Pattern {
  readonly parts: readonly (string | Placeholder)[];
  /** How many different values it makes. */
  readonly capacity: bigint;
}

const RADIX = { digits: 10n, letters: 26n, hex: 16n } as const;

/** A row's number is a bigint. */
const MOST = 2n ** 62n;

/** Parses `user-{digits:6}@example.com`. Pure. @returns what is wrong with it, as a sentence */
export function parsePattern(text: string): Pattern | string {
  const pieces = text.split(/(\{[^{}]*\}?|\})/);
  const parts: (string | Placeholder)[] = [];
  let capacity = 1n;
  for (const piece of pieces.toReversed()) {
    if (!/[{}]/.test(piece)) {
      parts.push(piece);
      continue;
    }
    const [, kind, digits] = /^\{(digits|letters|hex):([1-9]\d?)\}$/.exec(piece) ?? [];
    if (kind === undefined) return `"${piece}" is none of {digits:n}, {letters:n} and {hex:n}.`;
    const width = Number(digits);
    parts.push({ kind: kind as keyof typeof RADIX, width, divisor: capacity });
    capacity *= RADIX[kind as keyof typeof RADIX] ** BigInt(width);
    if (capacity > MOST) return 'its placeholders have too many digits: 18 decimal ones are enough.';
  }
  if (capacity === 1n) return 'a pattern without a placeholder is a constant: { "constant": value }.';
  return { parts: parts.toReversed().filter((part) => part !== ''), capacity };
}

/** The value for a number from 0 to capacity - 1. Pure. */
export function valueOf({ parts }: Pattern, number: bigint): string {
  return parts.map((part) => (typeof part === 'string' ? part : digitsOf(part, number))).join('');
}

function digitsOf({ kind, width, divisor }: Placeholder, number: bigint): string {
  const radix = RADIX[kind];
  const value = (number / divisor) % radix ** BigInt(width);
  if (kind !== 'letters') return value.toString(Number(radix)).padStart(width, '0');
  return Array.from({ length: width }, (_, at) =>
    String.fromCodePoint(97 + Number((value / radix ** BigInt(width - 1 - at)) % radix)),
  ).join('');
}

/** SQL for valueOf. @param number SQL of type bigint */
export function patternSql({ parts }: Pattern, number: string): string {
  return `concat(${parts.map((part) => (typeof part === 'string' ? literal(part) : digitsSql(part, number))).join(', ')})`;
}

function digitsSql({ kind, width, divisor }: Placeholder, number: string): string {
  const radix = RADIX[kind];
  const value = `${number} / ${divisor} % ${radix ** BigInt(width)}`;
  if (kind === 'digits') return `lpad((${value})::text, ${width}, '0')`;
  if (kind === 'hex') return `lpad(to_hex(${value}), ${width}, '0')`;
  const letters = Array.from(
    { length: width },
    (_, at) => `chr(97 + (${number} / ${divisor * radix ** BigInt(width - 1 - at)} % 26)::int)`,
  );
  return `concat(${letters.join(', ')})`;
}
