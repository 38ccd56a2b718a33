import { isText } from '../../rule.ts';
import type { MaskRule } from './mask.ts';
import { parsePattern, valueOf, type Pattern } from './mask-pattern.ts';

/** Values that a rule makes, of each length and with the smallest and the largest digits. Pure. */
export function samplesOf(rule: Exclude<MaskRule, 'keep'>): string[] {
  if (rule === 'null') return [];
  if ('constant' in rule) return [constantText(rule.constant)];
  if ('hash' in rule) return ['f'.repeat(rule.hash)];
  const pattern = patternOf(rule);
  return pattern === undefined ? [] : [valueOf(pattern, 0n), valueOf(pattern, pattern.capacity - 1n)];
}

/** The pattern of a rule that fakes; undefined for any other rule. Pure. */
export function patternOf(rule: Exclude<MaskRule, 'keep'>): Pattern | undefined {
  const pattern = rule !== 'null' && 'fake' in rule ? parsePattern(rule.fake) : undefined;
  return typeof pattern === 'string' ? undefined : pattern;
}

/** A constant as PostgreSQL reads it: a string as it is, everything else as JSON. */
export function constantText(constant: unknown): string {
  return isText(constant) ? constant : JSON.stringify(constant);
}
