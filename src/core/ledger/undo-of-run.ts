import type { QueryResultRow } from 'pg';
import { TenantctlError } from '../../errors.ts';
import type { BackwardExtent } from '../plan/plan.ts';
import { isScriptName } from '../files/script-name.ts';
import { queryEntries } from './query-entries.ts';
import { readRun } from './read-runs.ts';
import { readStateVersion } from '../state/version.ts';
import type { Database } from '../../db/database.ts';

/** A tenant of a run, under its current names; if it has left the registry, under its last ones. */
export interface UndoneTenant {
  /** Its id in tenantctl.tenants; null for a tenant that was gone before there were ids. */
  readonly id: string | null;
  readonly clerkOrgId: string;
  readonly schema: string;
  readonly isGone: boolean;
  /** Equal extents are one object. */
  readonly extent: BackwardExtent;
}

interface EntryRow extends QueryResultRow {
  readonly run: string;
  readonly isGone: boolean;
  readonly id: string | null;
  readonly clerkOrgId: string | null;
  readonly schema: string;
  readonly names: readonly string[];
  readonly batch: number;
}

/**
 * What a run of `migrate tenants` applied, unless a later run applied it again.
 * @param isOwn the run itself asks, and so may still be active
 * @throws TenantctlError RUN_UNKNOWN, RUN_IRREVERSIBLE, RUN_AT_WORK
 */
export async function readUndoOfRun(
  database: Database,
  run: number,
  isOwn: boolean,
): Promise<UndoneTenant[]> {
  const { command, outcome } = await readRun(database, run);
  assertUndoable(run, command, outcome === 'at-work' && !isOwn);
  const rows = await queryEntries<EntryRow>(
    database,
    await readStateVersion(database),
    `, applied AS NOT MATERIALIZED (SELECT * FROM entries WHERE outcome = 'migrated'),
     own AS (
       SELECT schema, is_gone, min(ended_at) AS ended_at FROM applied WHERE run = $1 GROUP BY 1, 2)
     SELECT t.run, t.is_gone AS "isGone", t.tenant::text AS id,
            t.organization AS "clerkOrgId", t.schema, t.names, t.batch
     FROM own JOIN applied t USING (schema, is_gone)
     WHERE t.run = $1 OR t.ended_at > own.ended_at
     ORDER BY t.ended_at`,
    [run],
  );
  return toTenants(run, rows);
}

/** Finds the last run to apply each migration, for each tenant. Pure. */
function toTenants(run: number, entries: readonly EntryRow[]): UndoneTenant[] {
  const known = new Map<string, BackwardExtent>();
  return [...Map.groupBy(entries, ({ schema, isGone }) => JSON.stringify([schema, isGone])).values()].flatMap(
    (applied) => {
      const [first] = applied;
      // Scripts are not undone.
      const isOfRun = applied.some(({ run: by, names }) => Number(by) === run && !names.every(isScriptName));
      if (first === undefined || !isOfRun) return [];
      const appliers = new Map(
        applied.flatMap(({ run: applier, names, batch }) =>
          names.map((name) => [JSON.stringify([name, batch]), Number(applier)] as const),
        ),
      );
      const key = JSON.stringify([...appliers]);
      const extent = known.get(key) ?? { kind: 'run', of: { run, appliers } };
      known.set(key, extent);
      const { id, schema, isGone } = first;
      return [{ id, clerkOrgId: first.clerkOrgId ?? '', schema, isGone, extent }];
    },
  );
}

function assertUndoable(run: number, command: string, isAtWork: boolean): void {
  if (command !== 'migrate tenants')
    throw new TenantctlError(
      'RUN_IRREVERSIBLE',
      `Run ${run} was ${command}; --run undoes runs of migrate tenants.`,
      { hint: INSTEAD[command] },
    );
  if (isAtWork)
    throw new TenantctlError('RUN_AT_WORK', `Run ${run} is still at work.`, {
      hint: `Wait until it ends, or stop it (Ctrl-C); tenantctl runs show ${run} shows its progress.`,
    });
}

/** What to do instead of undoing a run, by command. */
const INSTEAD: Readonly<Record<string, string>> = {
  'tenant provision': 'tenantctl rollback tenants --all --tenant <org> undoes every migration of a tenant.',
  'tenant suspend': 'tenantctl tenant resume <org> makes a tenant ACTIVE again.',
  'tenant resume': 'tenantctl tenant suspend <org> suspends a tenant again.',
  drift: 'drift changes no tenant: it built what the migrations make, and dropped it again.',
  'tenant backup': 'A backup changes no tenant: delete its file.',
  'tenant clone': 'tenantctl tenant drop <org> drops a tenant.',
  'tenant drop':
    'tenantctl tenant restore <file> brings a tenant back from its backup; tenantctl tenant list --dropped names the file.',
  'tenant archive': 'tenantctl tenant unarchive <org> brings a tenant back.',
  'grant application': 'tenantctl grant application <role> --revoke takes the rights back.',
  'seed tenants': 'What a seed has written, SQL undoes: tenantctl exec --write.',
  exec: 'What SQL has written, other SQL undoes: tenantctl exec --write.',
  'rollback tenants': 'tenantctl migrate tenants applies pending migrations again.',
  'migrate master': 'tenantctl rollback master undoes the last batch of master migrations.',
  'rollback master': 'tenantctl migrate master applies pending migrations again.',
};
