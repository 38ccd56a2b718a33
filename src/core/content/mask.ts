import { TenantctlError } from '../../errors.ts';
import { isObject, isText } from '../../rule.ts';
import { parsePattern } from './mask-pattern.ts';

/** What a clone gets in place of a column's values. docs/life.md has the form. */
export type MaskRule =
  | 'keep'
  | 'null'
  | { readonly constant: unknown }
  /** Hexadecimal digits of a keyed hash of the value. */
  | { readonly hash: number }
  /** A pattern such as `user-{digits:6}@example.com`. */
  | { readonly fake: string };

/** Rules by table and column. A partitioned table's rules hold for its partitions. Tables without rules are copied. */
export type Mask = Readonly<Record<string, Readonly<Record<string, MaskRule>>>>;

/** @returns the mask @throws TenantctlError MASK_INVALID, with each problem of its form; what a table needs comes later */
export function checkMask(value: unknown): Mask {
  if (!isObject(value) || Array.isArray(value))
    throw maskInvalid(['It must be an object of tables: { "users": { "email": "null" } }.']);
  const problems = Object.entries(value).flatMap(([table, rules]) => {
    if (!isObject(rules) || Array.isArray(rules))
      return [`${table}: its rules must be an object of columns.`];
    return Object.entries(rules).flatMap(([column, rule]) => {
      const problem = formProblem(rule);
      return problem === undefined ? [] : [`${table}.${column}: ${problem}`];
    });
  });
  if (problems.length > 0) throw maskInvalid(problems);
  return value as Mask;
}

const FORMS = 'a rule is "keep", "null", { "constant": value }, { "hash": digits } or { "fake": "pattern" }.';

function formProblem(rule: unknown): string | undefined {
  if (rule === 'keep' || rule === 'null') return undefined;
  if (!isObject(rule) || Object.keys(rule).length !== 1) return FORMS;
  if ('constant' in rule) return rule.constant === null ? 'for NULL, the rule is "null".' : undefined;
  if ('hash' in rule) {
    const isLength = Number.isInteger(rule.hash) && Number(rule.hash) >= 1 && Number(rule.hash) <= 64;
    return isLength ? undefined : 'a hash has 1 to 64 digits.';
  }
  if (!('fake' in rule)) return FORMS;
  if (!isText(rule.fake)) return 'the pattern of a fake must be a string.';
  const pattern = parsePattern(rule.fake);
  return typeof pattern === 'string' ? pattern : undefined;
}

export function maskInvalid(
  problems: readonly string[],
  hint = 'Correct the mask, and run the command again; nothing was changed.',
): TenantctlError {
  const [only] = problems;
  return new TenantctlError(
    'MASK_INVALID',
    problems.length === 1
      ? `The mask cannot be used: ${only}`
      : `The mask cannot be used, for ${problems.length} reasons.`,
    {
      details: problems.length === 1 ? undefined : problems,
      hint,
    },
  );
}

/** Whether a rule needs the key. */
export function needsKey(mask: Mask): boolean {
  return Object.values(mask).some((rules) =>
    Object.values(rules).some((rule) => isObject(rule) && ('hash' in rule || 'fake' in rule)),
  );
}
