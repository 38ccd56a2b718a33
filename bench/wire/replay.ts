import { bareAdd, runPsqls } from '../rivals/psql.ts';
import type { Effort } from '../rivals/rival.ts';
import type { CapturedStrings } from './captured-strings.ts';
import { psqlString } from './psql-string.ts';

/** psql scripts that repeat the captured strings. */
export interface Replay {
  /** Sent before timing starts. Some of it may fail: it may refer to bound parameters. */
  readonly opening: string;
  /** One per connection that served tenants. */
  readonly scripts: readonly string[];
}

/** Tenants without a captured string get the bare statements, from the first psql. */
export async function toReplay(captured: CapturedStrings): Promise<Replay> {
  const scripts = await Promise.all(
    captured.connections.map(async ({ session, tenants }) => lines([...session, ...tenants])),
  );
  const [first = '', ...others] = scripts;
  const missing = captured.missing.map(bareAdd);
  return {
    opening: `\\set ON_ERROR_STOP off\n${await lines(captured.opening)}`,
    scripts: [[...missing, first].join('\n'), ...others],
  };
}

/** Replays on a database in the captured one's initial state. */
export async function replay(url: string, { opening, scripts }: Replay): Promise<Effort> {
  await runPsqls(url, [opening]);
  return runPsqls(url, scripts);
}

async function lines(strings: readonly string[]): Promise<string> {
  return (await Promise.all(strings.map(psqlString))).join('\n');
}
