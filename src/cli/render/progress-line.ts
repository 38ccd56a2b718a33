import { bytesText } from './bytes.ts';
import type { Look } from './look.ts';

export interface RunProgress {
  readonly done: number;
  readonly due: number;
  readonly failed: number;
  /** Current tenants per second; 0 if unknown. */
  readonly rate: number;
  /** Changed by batches. */
  readonly rows?: number;
  readonly rowRate?: number;
  /** Written to backups. */
  readonly bytes?: number;
}

/** Columns of a bar. */
const BAR = 10;

/** Full only at the end. */
export function progressBar(done: number, due: number, { full, empty }: Look['marks']): string {
  const cells = due === 0 ? 0 : Math.min(BAR, Math.floor((done / due) * BAR));
  return full.repeat(cells) + empty.repeat(BAR - cells);
}

/** "12,345/50,000 tenants, 842/s, 45 s to go, 2 failed". @param isShort without the rate */
export function progressLine(progress: RunProgress, isShort = false): string {
  const { done, due, failed, rate, rows = 0, rowRate = 0, bytes = 0 } = progress;
  const parts = [`${thousands(done)}/${thousands(due)} tenants`];
  if (rows > 0) parts.push(`${thousands(rows)} rows${isShort ? '' : ` (${perTime(rowRate)})`}`);
  if (bytes > 0) parts.push(bytesText(bytes));
  if (rate > 0 && !isShort) parts.push(perTime(rate));
  if (rate > 0 && done < due) parts.push(`${timeLeft((due - done) / rate)} to go`);
  if (failed > 0) parts.push(`${thousands(failed)} failed`);
  return parts.join(', ');
}

/** "45 s", "3 min 20 s", "1 h 05 min": rounded up, to 10 s above a minute, to minutes above an hour. */
export function timeLeft(seconds: number): string {
  const left = Math.ceil(seconds);
  if (left < 60) return `${left} s`;
  const tens = Math.ceil(left / 10);
  if (tens < 360) return `${Math.floor(tens / 6)} min ${twoDigits((tens % 6) * 10)} s`;
  const minutes = Math.ceil(left / 60);
  return `${thousands(Math.floor(minutes / 60))} h ${twoDigits(minutes % 60)} min`;
}

/** "842/s", "3.4/s"; per minute below 0.1/s: "2.5/min" */
function perTime(rate: number): string {
  if (rate >= 10) return `${thousands(Math.round(rate))}/s`;
  return rate >= 0.1 ? `${rate.toFixed(1)}/s` : `${(rate * 60).toFixed(1)}/min`;
}

/** toLocaleString costs 30 ms of CPU time at its first use. */
function thousands(number: number): string {
  return String(number).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0');
}
