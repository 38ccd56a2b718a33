import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { withConnection } from './connection.ts';
import type { BenchServer } from './server.ts';

const SAMPLE_EVERY_MS = 10;

/**
 * Monitors the server's client backends while `work` runs.
 * @returns how many bytes more private memory (RssAnon) the largest one had than a newly connected one;
 *   undefined without /proc
 */
export async function watchBackends(
  server: BenchServer,
  url: string,
  work: () => Promise<unknown>,
): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const fresh = await freshBackend(url);
  const stop = new AbortController();
  const watching = largestBackend(server.postmasterPid, stop.signal);
  try {
    await work();
  } finally {
    stop.abort();
  }
  return Math.max(0, (await watching) - fresh);
}

async function freshBackend(url: string): Promise<number> {
  return withConnection(url, async (client) => {
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    return privateBytes(rows[0]?.pid ?? 0);
  });
}

async function largestBackend(postmasterPid: number, stop: AbortSignal): Promise<number> {
  let largest = 0;
  while (!stop.aborted) {
    const children = await textOf(`/proc/${postmasterPid}/task/${postmasterPid}/children`);
    for (const pid of children.split(' ').filter((each) => each !== ''))
      if (await isClientBackend(pid)) largest = Math.max(largest, await privateBytes(Number(pid)));
    await sleep(SAMPLE_EVERY_MS);
  }
  return largest;
}

/** A client backend's title is `postgres: <user> <database> <host>(<port>) <what it does>`. */
async function isClientBackend(pid: string): Promise<boolean> {
  return /^postgres: \S+ \S+ \d+\.\d+\.\d+\.\d+\(/.test(await textOf(`/proc/${pid}/cmdline`));
}

async function privateBytes(pid: number): Promise<number> {
  const [, kilobytes = '0'] = /^RssAnon:\s+(\d+) kB/m.exec(await textOf(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) * 1024;
}

/** Empty if the process has ended. */
function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
