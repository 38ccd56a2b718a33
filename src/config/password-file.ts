import { accessSync, constants, readFileSync, statSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { ServerTarget } from './database-url.ts';

type Login = Pick<ServerTarget, 'host' | 'port' | 'user' | 'database'>;

/** Where libpq looks for its password file; undefined without a home folder. @param named PGPASSFILE */
export function passwordFilePath(named: string | undefined): string | undefined {
  if (named !== undefined) return named;
  try {
    return process.platform === 'win32'
      ? join(homedir(), 'AppData', 'Roaming', 'postgresql', 'pgpass.conf')
      : join(homedir(), '.pgpass');
  } catch {
    // A user without HOME and without an entry in /etc/passwd, as in many containers.
    return undefined;
  }
}

/** Why the file is not used, as a phrase; undefined if it is. */
export function passwordFileProblem(path: string): string | undefined {
  const facts = factsOf(path);
  if (facts === undefined) return 'does not exist';
  if (!facts.isFile()) return 'is not a file';
  // As libpq does, except on Windows.
  if (process.platform !== 'win32' && (facts.mode & 0o077) !== 0)
    return 'is ignored, because others than its owner have access to it';
  try {
    accessSync(path, constants.R_OK);
  } catch {
    return 'cannot be read';
  }
  return undefined;
}

/** Undefined also where the folder may not be searched. */
function factsOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

const FIELD = String.raw`((?:\\.|[^:\\])*)`;
const LINE = new RegExp(`^${Array.from({ length: 5 }, () => FIELD).join(':')}`);

/**
 * The password of the first line that matches: host:port:database:user:password
 * (https://www.postgresql.org/docs/current/libpq-pgpass.html). The file is read for each connection: it may
 * hold a token that is renewed.
 */
export function passwordIn(path: string, { host, port, user, database }: Login): string | undefined {
  if (passwordFileProblem(path) !== undefined) return undefined;
  const wanted = [host, String(port), database, user];
  for (const line of readFileSync(path, 'utf8').split(/\r?\n/)) {
    const fields = line.startsWith('#') ? undefined : LINE.exec(line)?.slice(1).map(unescaped);
    const isMatch = wanted.every((value, at) => {
      const field = fields?.[at];
      const isSocket = at === 0 && value.startsWith('/') && field === 'localhost';
      return field === '*' || field === value || isSocket;
    });
    if (isMatch) return fields?.[4];
  }
  return undefined;
}

function unescaped(field: string): string {
  return field.replaceAll(/\\(.)/g, '$1');
}
