import { setTimeout as sleep } from 'node:timers/promises';
import { startCli, type CliResult } from '../support/cli.ts';
import type { Databases, FaultDatabase } from './databases.ts';
import type { Projects } from './projects.ts';
import { PLACES, type Call } from './calls.ts';

export interface Running {
  readonly pid: number | undefined;
  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void;
  /** The result; undefined if it was killed after HANGS_AFTER_MS. */
  readonly done: Promise<CliResult | undefined>;
}

/** Milliseconds after which the program counts as hanging: all its own waits are shorter. */
const HANGS_AFTER_MS = 240_000;

/** Starts the program as a child process. @param port of the server or a proxy @param more of its environment */
export async function start(
  projects: Projects,
  { args, extent }: Call,
  database: FaultDatabase,
  port: number,
  more: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const filled = await fillPlaces(args, projects, database, port);
  const child = startCli([...filled, '--json', '--yes'], {
    cwd: await projects.folder(extent),
    env: { ...database.env(port), ...more },
  });
  const inTime = new AbortController();
  const hangs = sleep(HANGS_AFTER_MS, undefined, { signal: inTime.signal }).then(
    () => void child.kill('SIGKILL'),
    () => undefined,
  );
  const ended = child.done.finally(() => inTime.abort());
  return {
    pid: child.pid,
    signal: (name) => void child.kill(name),
    done: Promise.race([ended, hangs]),
  };
}

async function fillPlaces(
  args: readonly string[],
  projects: Projects,
  database: FaultDatabase,
  port: number,
): Promise<string[]> {
  const has = (place: string) => args.includes(place);
  const url = new URL(database.url);
  url.port = String(port);
  const values = new Map<string, string>([
    [PLACES.out, await projects.backupFolder(database.name)],
    [PLACES.mask, projects.maskFile],
    [PLACES.url, url.href],
    ...(has(PLACES.backup) ? [[PLACES.backup, await firstBackup(database)] as const] : []),
  ]);
  return args.map((arg) => values.get(arg) ?? arg);
}

async function firstBackup(database: FaultDatabase): Promise<string> {
  const [row] = await database.query<{ file: string }>(
    'SELECT file FROM tenantctl.backups ORDER BY id LIMIT 1',
  );
  if (row === undefined) throw new Error('no backup was made');
  return row.file;
}

/** Runs the program undisturbed. @throws Error if it does not exit with 0 */
export async function callUndisturbed(
  projects: Projects,
  call: Call,
  database: FaultDatabase,
  { server }: Databases,
): Promise<void> {
  const result = await (await start(projects, call, database, server.port)).done;
  if (result?.exitCode === 0) return;
  throw new Error(
    `tenantctl ${call.args.join(' ')}, undisturbed, ended with ${result?.exitCode}:\n${result?.stderr}${result?.stdout}`,
  );
}
