import type { TenantClass } from '../core/report/class-counts.ts';
import type { RunOutcome } from '../core/ledger/read-runs.ts';

/** A word for people and its colour: a custom property of page.css. */
export interface Word {
  readonly label: string;
  readonly colour: string;
}

/** In the order of urgency. */
export const CLASSES: Readonly<Record<TenantClass, Word>> = {
  broken: { label: 'broken', colour: 'broken' },
  failed: { label: 'failed', colour: 'failed' },
  behind: { label: 'behind', colour: 'behind' },
  notActive: { label: 'not active', colour: 'idle' },
  upToDate: { label: 'up to date', colour: 'fine' },
};

export const OUTCOMES: Readonly<Record<RunOutcome, Word>> = {
  failed: { label: 'failed', colour: 'failed' },
  died: { label: 'died', colour: 'broken' },
  interrupted: { label: 'interrupted', colour: 'behind' },
  'at-work': { label: 'at work', colour: 'accent' },
  done: { label: 'done', colour: 'fine' },
};

const NUMBERS = new Intl.NumberFormat('en');

/** "1,000" */
export function grouped(number: number): string {
  return NUMBERS.format(number);
}

const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** "8,192 bytes", "1.5 MB": as PostgreSQL's pg_size_pretty, in powers of 1,024 */
export function sizeInWords(bytes: number): string {
  const power = Math.min(bytes < 10_240 ? 0 : Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${value < 10 && power > 0 ? value.toFixed(1) : grouped(Math.round(value))} ${UNITS[power]}`;
}

/** "2026-11-29 18:55:53", in UTC */
export function timeInWords(iso: string): string {
  return iso.slice(0, 19).replace('T', ' ');
}
