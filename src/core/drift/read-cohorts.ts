import type { Database } from '../../db/database.ts';
import { counted } from '../../wording.ts';
import type { MigrationFolder } from '../files/source.ts';
import { readStates, type TenantState } from '../fleet/tenant-state.ts';
import type { Observer } from '../report/event.ts';
import type { RunContext } from '../run/run-context.ts';
import { compareShapes } from '../shape/compare-shapes.ts';
import { readImprints, readShapes } from '../shape/read-shapes.ts';
import type { Shape } from '../shape/shape.ts';
import { KEPT_DIFFERENCES, type Cohort } from './cohort.ts';
import { findLeads } from './find-leads.ts';
import { historyKey, type References } from './references.ts';

/** What tenants are compared with. */
export interface Comparison {
  readonly folder: MigrationFolder;
  readonly references: References;
  readonly schemas: ReadonlySet<string>;
  readonly observe: Observer;
}

interface GrowingCohort extends Cohort {
  readonly tenants: Cohort['tenants'][number][];
}

/** A tenant is compared again if it was migrated between the reading of its history and of its schema. */
export async function readCohorts(
  context: RunContext,
  states: readonly TenantState[],
  comparison: Comparison,
): Promise<readonly Cohort[]> {
  const { database, signal } = context;
  const cohorts = new Map<string, GrowingCohort>();
  await compareAll(context, states, comparison, cohorts);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const differing = [...cohorts.values()]
      .filter(({ outcome }) => outcome === 'differs')
      .flatMap(({ tenants }) => tenants);
    if (differing.length === 0 || signal?.aborted === true) break;
    const before = new Map(states.map((state) => [state.tenant.schema, versionOf(state)]));
    states = await readStates(database, differing, comparison.folder);
    states = states.filter(
      (state) => state.tenant.hasSchema && before.get(state.tenant.schema) !== versionOf(state),
    );
    if (states.length === 0) break;
    const moved = new Set(states.map(({ tenant }) => tenant.schema));
    for (const [key, cohort] of cohorts) {
      const tenants = cohort.tenants.filter(({ schema }) => !moved.has(schema));
      if (tenants.length === 0) cohorts.delete(key);
      else cohorts.set(key, { ...cohort, tenants });
    }
    await compareAll(context, states, comparison, cohorts);
  }
  return [...cohorts.values()].toSorted(
    (a, b) => ORDER.indexOf(a.outcome) - ORDER.indexOf(b.outcome) || b.tenants.length - a.tenants.length,
  );
}

/** How often tenants are compared again. */
const ROUNDS = 3;

function versionOf({ applied, hasOutdatedScripts }: TenantState): string {
  return `${historyKey(applied)} ${hasOutdatedScripts}`;
}

/** Of tenants with equal imprints and the same version, one is read: one shape at a time, beside the references. */
async function compareAll(
  { database, signal }: RunContext,
  states: readonly TenantState[],
  comparison: Comparison,
  cohorts: Map<string, GrowingCohort>,
): Promise<void> {
  const isStopped = () => signal?.aborted === true;
  const bySchema = new Map(states.map((state) => [state.tenant.schema, state]));
  const imprints = await imprintsOf(database, [...bySchema.keys()], comparison.observe, signal);
  const known = new Map<string, GrowingCohort>();
  const keyOf = (state: TenantState) => `${versionOf(state)} ${imprints.get(state.tenant.schema)}`;
  for (let left = states; ;) {
    left = left.filter(({ tenant }) => imprints.has(tenant.schema));
    const unread = new Map(left.map((state) => [keyOf(state), state.tenant.schema]));
    if (unread.size === 0 || isStopped()) return;
    // What is gone by now is not yielded. What has changed has another imprint, and says nothing of the others.
    for (const schema of unread.values()) imprints.delete(schema);
    for await (const shape of readShapes(database, [...unread.values()])) {
      const state = bySchema.get(shape.schema);
      if (state === undefined || isStopped()) break;
      imprints.set(shape.schema, shape.imprint);
      const key = `${versionOf(state)} ${shape.digest}`;
      const cohort = cohorts.get(key) ?? (await toCohort(database, state, shape, comparison));
      cohorts.set(key, cohort);
      known.set(keyOf(state), cohort);
    }
    left = left.filter((state) => {
      const { clerkOrgId, schema } = state.tenant;
      const cohort = imprints.has(schema) ? known.get(keyOf(state)) : undefined;
      cohort?.tenants.push({ clerkOrgId, schema });
      return cohort === undefined;
    });
  }
}

/** By schema, of those that exist. */
async function imprintsOf(
  database: Database,
  schemas: readonly string[],
  observe: Observer,
  signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const imprints = new Map<string, string>();
  for await (const { schema, imprint } of readImprints(database, schemas)) {
    if (signal?.aborted === true) break;
    imprints.set(schema, imprint);
    if (imprints.size % 100 === 0)
      observe({
        type: 'phase',
        message: `Comparing ${imprints.size} of ${counted(schemas.length, 'tenant')}`,
      });
  }
  return imprints;
}

const ORDER: readonly Cohort['outcome'][] = ['differs', 'not-compared', 'alike'];

async function toCohort(
  database: Database,
  state: TenantState,
  shape: Shape,
  { references, schemas }: Comparison,
): Promise<GrowingCohort> {
  const { applied, pending, lacks, hasOutdatedScripts } = state;
  const reference = await references.of(state);
  const base = {
    digest: shape.digest,
    version: applied.at(-1) ?? null,
    pending: [...pending, ...lacks, ...(hasOutdatedScripts ? ['repeatable scripts'] : [])],
    tenants: [],
    leads: findLeads(shape, schemas, database.names),
  };
  if ('reason' in reference)
    return {
      ...base,
      outcome: 'not-compared',
      differences: [],
      differenceCount: 0,
      reason: reference.reason,
    };
  const differences = compareShapes(reference.shape, shape);
  return {
    ...base,
    outcome: differences.length === 0 ? 'alike' : 'differs',
    differences: differences
      .slice(0, KEPT_DIFFERENCES)
      .map(({ kind, name, difference }) => ({ kind, name, difference })),
    differenceCount: differences.length,
  };
}
