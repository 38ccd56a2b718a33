import { startPostgres, type PostgresOptions, type PostgresServer } from './postgres-programs.ts';

/** Runs `use` with a new PostgreSQL server, which ends with the process even if interrupted. */
export async function withPostgres<T>(
  options: PostgresOptions,
  use: (server: PostgresServer) => Promise<T>,
): Promise<T> {
  const server = await startPostgres(options);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= server.stop());
  const interrupt = () => void stop().finally(() => process.exit(130));
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    return await use(server);
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    await stop();
  }
}
