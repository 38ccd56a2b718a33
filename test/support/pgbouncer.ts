import { onTestFinished } from 'vitest';
import type { TestServerDatabase } from './database.ts';
import { launchPgBouncer, type PgBouncerOptions, type PgBouncerProgram } from './pgbouncer-program.ts';
import type { ServerSettings } from '../../src/db/database.ts';

export type { PgBouncerOptions } from './pgbouncer-program.ts';

export interface PgBouncer extends Pick<PgBouncerProgram, 'kill' | 'resume'> {
  readonly settings: ServerSettings;
  /** The program's variables to connect through it. */
  readonly env: Readonly<Record<string, string>>;
  readonly url: string;
}

/** Starts one on a free port; it ends with the test. */
export async function startPgBouncer(
  testDatabase: Pick<TestServerDatabase, 'settings' | 'env'>,
  options: PgBouncerOptions = {},
): Promise<PgBouncer> {
  const { host, port: serverPort, user, database } = testDatabase.settings;
  const password = testDatabase.env['DB_PASSWORD'] ?? '';
  const { port, kill, resume, remove } = await launchPgBouncer(
    { host, port: serverPort, user, password },
    options,
  );
  onTestFinished(remove);
  return {
    settings: { ...testDatabase.settings, host: '127.0.0.1', port },
    env: { ...testDatabase.env, DB_HOST: '127.0.0.1', DB_PORT: String(port) },
    url: `postgres://${encodeURIComponent(user)}@127.0.0.1:${port}/${database}`,
    kill,
    resume,
  };
}
