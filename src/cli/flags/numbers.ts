import { InvalidArgumentError } from 'commander';
import {
  LARGE_COUNT,
  COUNT,
  described,
  MILLISECONDS,
  parseWhole,
  PERCENT,
  RETRIES,
  RUN_NUMBER,
  type Range,
} from '../../limits.ts';

/** @param word taken in the place of a number */
function parser<Word extends string = never>(
  range: Range,
  rule = `Expected ${described(range)}.`,
  word?: Word,
) {
  return (text: string): number | Word => {
    if (text === word) return word;
    const number = parseWhole(text, range);
    if (number === undefined) throw new InvalidArgumentError(rule);
    return number;
  };
}

export const milliseconds = parser(MILLISECONDS);
export const retries = parser(RETRIES);
export const percent = parser(PERCENT);
export const count = parser(COUNT);
export const runNumber = parser(RUN_NUMBER, 'Expected the number of a run: tenantctl runs lists them.');

export const runNumberOrLatest = parser(
  RUN_NUMBER,
  'Expected the number of a run, or latest: tenantctl runs lists them.',
  'latest',
);
export const largeCount = parser(LARGE_COUNT);
export const countOrAuto = parser(COUNT, `Expected ${described(COUNT)}, or auto.`, 'auto');
