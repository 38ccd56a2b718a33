import { figure } from '../report/figure.ts';

/** A figure in the unit of figures.ts. */
export function quantity(value: number, unit: string): string {
  if (unit === 'kB') return `${figure(value / 1000)} kB`;
  return unit === '' ? figure(value) : `${figure(value)} ${unit}`;
}

export function bytes(value: number): string {
  const [unit, size] = value >= 1e12 ? ['TB', 1e12] : value >= 1e9 ? ['GB', 1e9] : ['MB', 1e6];
  return `${figure(value / size)} ${unit}`;
}

export function time(seconds: number): string {
  if (seconds >= 2 * 86_400) return `${figure(seconds / 86_400)} days`;
  if (seconds >= 2 * 3600) return `${figure(seconds / 3600)} h`;
  if (seconds >= 120) return `${figure(seconds / 60)} min`;
  return `${figure(seconds)} s`;
}
