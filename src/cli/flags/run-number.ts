import { InvalidArgumentError } from 'commander';

/** The number of a run, as `tenantctl runs` shows it. */
export function runNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) {
    throw new InvalidArgumentError('It must be the number of a run: tenantctl runs lists them.');
  }
  return Number(text);
}
