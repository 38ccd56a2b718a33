import { InvalidArgumentError } from 'commander';
import { COUNT, described, MILLISECONDS, parseWhole, RETRIES, RUN_NUMBER, type Range } from '../../limits.ts';

function parser(range: Range, rule = `Expected ${described(range)}.`): (text: string) => number {
  return (text) => {
    const number = parseWhole(text, range);
    if (number === undefined) throw new InvalidArgumentError(rule);
    return number;
  };
}

export const milliseconds = parser(MILLISECONDS);
export const retries = parser(RETRIES);
export const count = parser(COUNT);
export const runNumber = parser(RUN_NUMBER, 'Expected the number of a run: tenantctl runs lists them.');

export function runNumberOrLatest(text: string): number | 'latest' {
  return text === 'latest' ? text : runOrLatest(text);
}

const runOrLatest = parser(RUN_NUMBER, 'Expected the number of a run, or latest: tenantctl runs lists them.');

const number = parser(COUNT, `Expected ${described(COUNT)}, or auto.`);

export function countOrAuto(text: string): number | 'auto' {
  return text === 'auto' ? text : number(text);
}
