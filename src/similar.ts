import leven from 'leven';

const NEGATION = /^(?:no-?|not-?|non-?|un|de|dis|skip-|without-)/;
const OPPOSITES = [
  ['older', 'newer'],
  ['min', 'max'],
] as const;

/**
 * The candidates that a misspelt word most likely means; else those that contain it. Never the opposite: not
 * "provision" for "deprovision", nor "no-color" for "color".
 */
export function similarTo(word: string, candidates: readonly string[]): string[] {
  const possible = [...new Set(candidates)].filter((candidate) => !isOpposite(word, candidate));
  const close = possible
    .map((candidate) => ({ candidate, distance: distanceOf(word, candidate) }))
    .filter(({ candidate, distance }) => distance <= Math.max(word.length, candidate.length) / 3);
  if (close.length === 0)
    return word.length < 3 ? [] : possible.filter((candidate) => candidate.includes(word));
  const least = Math.min(...close.map(({ distance }) => distance));
  return close.filter(({ distance }) => distance === least).map(({ candidate }) => candidate);
}

/** Letters in the wrong order are one mistake. */
export function distanceOf(a: string, b: string): number {
  const sorted = (text: string) => text.split('').toSorted().join('');
  return a !== b && sorted(a) === sorted(b) ? 1 : leven(a, b);
}

function isOpposite(a: string, b: string): boolean {
  const negates = (negated: string, plain: string) => {
    const rest = negated.replace(NEGATION, '');
    return rest !== negated && leven(rest, plain) <= leven(negated, plain);
  };
  const has = (text: string, word: string) => text.split('-').includes(word);
  return (
    negates(a, b) ||
    negates(b, a) ||
    OPPOSITES.some(([one, other]) => (has(a, one) && has(b, other)) || (has(a, other) && has(b, one)))
  );
}
