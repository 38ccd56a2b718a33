import { hostname } from 'node:os';
import { pid } from 'node:process';
import { version } from '../../version.ts';

export function processFacts(): { readonly host: string; readonly pid: number; readonly version: string } {
  return { host: hostname(), pid, version };
}
