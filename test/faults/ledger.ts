import { readRuns } from '../../src/core/ledger/read-runs.ts';
import { openDatabase } from '../../src/db/open.ts';
import type { FaultDatabase } from './databases.ts';
import type { Snapshot } from './snapshot.ts';

/** A killed process's unfinished runs must be recorded as dead, unless one had ended before the kill. */
export async function judgeLedger(
  database: FaultDatabase,
  { runs }: Snapshot,
  pid: number | undefined,
): Promise<string[]> {
  const endless = runs.filter((run) => run.pid === pid && run.outcome === null);
  if (endless.length === 0) return [];
  const { hostname, port, username } = new URL(database.url);
  const opened = await openDatabase(
    {
      kind: 'server',
      host: hostname,
      port: Number(port),
      user: username,
      database: database.name,
      ssl: false,
      connectTimeoutMs: 10_000,
    },
    { maxConnections: 1 },
  );
  try {
    const ledger = await readRuns(opened, { limit: 100 });
    return endless.flatMap(({ id }) => {
      const outcome = ledger.find((run) => run.id === id)?.outcome;
      return outcome === 'died' ? [] : [`the ledger says of run ${id}, whose process is dead: ${outcome}`];
    });
  } finally {
    await opened.close();
  }
}
