import { hostname, userInfo } from 'node:os';
import { pid } from 'node:process';
import { version } from '../../version.ts';

export interface ProcessFacts {
  /** The operating-system user; null if it has no name, as in some containers. */
  readonly osUser: string | null;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
}

export function processFacts(): ProcessFacts {
  return { osUser: osUser(), host: hostname(), pid, version };
}

function osUser(): string | null {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in /etc/passwd: https://nodejs.org/api/os.html#osuserinfooptions
    return null;
  }
}
