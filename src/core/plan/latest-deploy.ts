import { compareNames, stemOf } from '../files/source.ts';

/** Who wrote a batch, according to the ledger: a run of `migrate tenants`, or provisioning. */
export type BatchWriter = { readonly run: number } | 'provisioning' | undefined;

export interface LastBatch {
  readonly names: readonly string[];
  /** The tenant has no other batch. */
  readonly isOnly: boolean;
  /** Undefined if the ledger does not say. */
  readonly writer: BatchWriter;
}

/** The newest run of `migrate tenants` that wrote a last batch, and the newest migration in what it wrote. */
interface Deploy {
  readonly run: number;
  readonly newest: string;
}

/**
 * Decides which last batches are the fleet's latest deploy. A deploy may be several runs (waves, retries): a
 * batch that a run wrote belongs to it if it has the newest migration of the newest run. Pure.
 * @returns why a tenant is left alone; undefined if its last batch is undone
 */
export function reasonsToLeave(batches: readonly LastBatch[]): (batch: LastBatch) => string | undefined {
  const deploy = latestDeploy(batches);
  return ({ names, isOnly, writer }) => {
    if (writer === 'provisioning') return `the last batch was written by provisioning${HOW}`;
    if (writer === undefined && isOnly) return `the ledger does not say who wrote the only batch${HOW}`;
    if (deploy === undefined || names.some((name) => stemOf(name) === deploy.newest)) return undefined;
    const isNewer = names.some((name) => compareNames(stemOf(name), deploy.newest) > 0);
    if (writer === undefined && isNewer) return undefined;
    return `the last batch is older than the latest deploy, run ${deploy.run}${HOW}`;
  };
}

const HOW = '; to undo it: tenantctl rollback tenants --tenant <org>';

function latestDeploy(batches: readonly LastBatch[]): Deploy | undefined {
  const byRun = Map.groupBy(batches, ({ writer }) => (typeof writer === 'object' ? writer.run : 0));
  const run = [...byRun.keys()].reduce((newest, one) => Math.max(newest, one), 0);
  const names = run === 0 ? [] : (byRun.get(run) ?? []).flatMap((batch) => batch.names.map(stemOf));
  const newest = names.reduce((last, name) => (compareNames(name, last) > 0 ? name : last), names[0] ?? '');
  return names.length === 0 ? undefined : { run, newest };
}
