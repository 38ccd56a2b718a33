import { bareAdd, runPsqls } from '../rivals/psql.ts';
import type { Effort } from '../rivals/rival.ts';
import type { CapturedStrings } from './captured-strings.ts';
import { psqlString } from './psql-string.ts';

/** Scripts with which psqls send again what was captured. */
export interface Replay {
  /** Sent before the time begins. Some of it may fail: what it refers to may have been bound as a parameter. */
  readonly opening: string;
  /** One for each connection that served tenants. */
  readonly scripts: readonly string[];
}

/** The tenants of whom no string was captured are served with the bare statements, by the first psql. */
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

/** Sends what was captured to a database in the state in which that one was. */
export async function replay(url: string, { opening, scripts }: Replay): Promise<Effort> {
  await runPsqls(url, [opening]);
  return runPsqls(url, scripts);
}

async function lines(strings: readonly string[]): Promise<string> {
  return (await Promise.all(strings.map(psqlString))).join('\n');
}
