import type { FaultDatabase } from './databases.ts';
import { start } from './program.ts';
import type { Call } from './calls.ts';
import type { Databases } from './databases.ts';
import type { Projects } from './projects.ts';
import { openProxy } from './wire/proxy.ts';
import type { Passing } from './wire/pieces.ts';

/** The observed traffic of an undisturbed command. */
export interface Heard {
  /** How often each point, such as "after commit", was passed. */
  readonly points: ReadonlyMap<string, number>;
  /** Milliseconds from its first message to its end. */
  readonly durationMs: number;
}

/** Runs the program through a listening proxy. @throws Error if it does not exit with 0 */
export async function listenTo(
  { databases, projects }: { readonly databases: Databases; readonly projects: Projects },
  call: Call,
  database: FaultDatabase,
  passing: Passing,
): Promise<Heard> {
  const points = new Map<string, number>();
  let startedAt: number | undefined;
  const proxy = await openProxy(databases.server.port, {
    passing,
    onPoint(moment, name) {
      startedAt ??= performance.now();
      const point = `${moment} ${name}`;
      points.set(point, (points.get(point) ?? 0) + 1);
    },
  });
  try {
    const result = await (await start(projects, call, database, proxy.port)).done;
    const durationMs = Math.round(performance.now() - (startedAt ?? performance.now()));
    if (result?.exitCode === 0) return { points, durationMs };
    throw new Error(
      `tenantctl ${call.args.join(' ')}, through a proxy, ended with ${result?.exitCode}:\n${result?.stderr}${result?.stdout}`,
    );
  } finally {
    await proxy.close();
  }
}
