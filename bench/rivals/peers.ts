import { fileURLToPath } from 'node:url';
import { runNode } from '../child.ts';
import { dbmateHistory, knexHistory, nodePgMigrateHistory, type HistoryForm } from '../fleet/histories.ts';
import type { Project } from '../fleet/projects.ts';
import type { Peer, RivalName } from './rival.ts';

export const knexPerTenant = peer('knex', knexHistory, './knex-per-tenant.ts', ({ knex }) => knex);

const nodePgMigratePerSchema = peer(
  'node-pg-migrate',
  nodePgMigrateHistory,
  './node-pg-migrate-per-schema.ts',
  ({ nodePgMigrate }) => nodePgMigrate,
);

const dbmatePerTenant = peer('dbmate', dbmateHistory, './dbmate-per-tenant.ts', ({ dbmate }) => dbmate);

export const PEERS: readonly Peer[] = [knexPerTenant, nodePgMigratePerSchema, dbmatePerTenant];

/** A peer is our script that uses the peer's library or program as its users do. */
function peer(
  name: RivalName,
  history: HistoryForm,
  script: string,
  folder: (project: Project) => string,
): Peer {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return {
    name,
    history,
    async run({ url, project, first, concurrency }) {
      const args = [path, url, folder(project), String(concurrency), String(first)];
      const { ms, cpuMs, maxRssBytes } = await runNode(args);
      return { ms, cpuMs, maxRssBytes };
    },
  };
}
