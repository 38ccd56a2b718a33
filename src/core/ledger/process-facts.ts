import { hostname } from 'node:os';
import { pid } from 'node:process';
import { version } from '../../version.ts';

/** Which process a run is: the name of its machine, its process id, and the version of tenantctl that it is. */
export function processFacts(): { readonly host: string; readonly pid: number; readonly version: string } {
  return { host: hostname(), pid, version };
}
