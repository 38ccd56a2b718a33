import { setTimeout as sleep } from 'node:timers/promises';
import { startCli, type CliResult } from '../support/cli.ts';
import type { Databases, FaultDatabase } from './databases.ts';
import type { Projects } from './projects.ts';
import type { Call } from './calls.ts';

/** The program that has been called. */
export interface Running {
  readonly pid: number | undefined;
  kill(): void;
  /** How it ended; undefined where it had not ended after HANGS_AFTER_MS, and was killed. */
  readonly done: Promise<CliResult | undefined>;
}

/** Milliseconds after which a program that was not killed is said to hang: every wait in it is shorter. */
const HANGS_AFTER_MS = 240_000;

/** Calls the program as a child process. @param port the server's, or a proxy's before it */
export async function start(
  projects: Projects,
  { args, extent }: Call,
  database: FaultDatabase,
  port: number,
): Promise<Running> {
  const child = startCli([...args, '--json', '--yes'], {
    cwd: await projects.folder(extent),
    env: database.env(port),
  });
  const inTime = new AbortController();
  const hangs = sleep(HANGS_AFTER_MS, undefined, { signal: inTime.signal }).then(
    () => void child.kill('SIGKILL'),
    () => undefined,
  );
  const ended = child.done.finally(() => inTime.abort());
  return {
    pid: child.pid,
    kill: () => void child.kill('SIGKILL'),
    done: Promise.race([ended, hangs]),
  };
}

/** Calls the program undisturbed. @throws Error where it does not end with 0 */
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
