import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchServer } from './server.ts';

/** Milliseconds in which a backend ends after its client. */
const END_MS = 100;
/** The kernel counts in hundredths of a second: sysconf(_SC_CLK_TCK) is 100 on every Linux that Node runs on. */
const TICK_MS = 10;

/** CPU time of the server's ended processes while `work` runs, in milliseconds; undefined without /proc. */
export async function withServerCpu<T>(
  server: BenchServer,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly serverCpuMs: number | undefined }> {
  const before = await cpuOfEnded(server);
  const result = await work();
  await sleep(END_MS);
  const after = await cpuOfEnded(server);
  return { result, serverCpuMs: before === undefined || after === undefined ? undefined : after - before };
}

/** cutime and cstime of the postmaster: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
async function cpuOfEnded({ postmasterPid }: BenchServer): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const stat = await readFile(`/proc/${postmasterPid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) * TICK_MS;
}
