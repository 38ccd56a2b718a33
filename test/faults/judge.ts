import { differences } from './differences.ts';
import { contentKey, type Reference } from './reference.ts';
import type { SchemaSnapshot, Snapshot } from './snapshot.ts';
import { judgeVerbs } from './judge-verbs.ts';

/** Problems in words; empty if there are none. */
export type Findings = readonly string[];

type Expected = Pick<Reference, 'contents' | 'varying' | 'start' | 'final' | 'scenario'>;

/**
 * Judges a fault's aftermath when all work has ended: history and schema agree, no lock remains, no tenant is
 * half created, no stamp lies, and the ledger agrees with the histories. Pure.
 * @param isEnd the command has done everything
 */
export function judgeRemains(
  snapshot: Snapshot,
  expected: Expected,
  byHand: ReadonlySet<string> = new Set(),
  isEnd = false,
): Findings {
  // If a migration outside a transaction was interrupted, its intent says so and a person must check.
  const interrupted = new Set(snapshot.intents.map(({ schema }) => schema));
  return [
    ...snapshot.locks.map((lock) => `left behind: ${lock}`),
    ...halfMade(snapshot, expected),
    ...(expected.scenario.verb === undefined
      ? snapshot.schemas
          .filter(({ schema }) => !interrupted.has(schema))
          .flatMap((schema) => disagreement(schema, expected))
      : judgeVerbs(snapshot, expected, isEnd)),
    ...snapshot.lyingStamps.map(
      (schema) => `${schema}: its stamp is believed, and its history says something else`,
    ),
    ...ledgerDisagreement(snapshot, expected, byHand),
    ...statusDisagreement(snapshot, expected),
    ...snapshot.schemas.flatMap(({ schema }) =>
      [expected.start, expected.final].some((either) => hasSameRights(schema, snapshot, either))
        ? []
        : [
            `${schema}: the application's role has some of its rights: ${snapshot.rights[schema]?.join(', ')}`,
          ],
    ),
  ];
}

/**
 * Judges the result of a successful command: everything is done once for every tenant. Pure.
 * @param byHand schemas whose history was repaired by hand, without a trace in the ledger
 */
export function judgeEnd(
  snapshot: Snapshot,
  expected: Expected,
  byHand: ReadonlySet<string> = new Set(),
): Findings {
  const { final, scenario } = expected;
  const found = new Map(snapshot.schemas.map((each) => [each.schema, each]));
  return [
    ...judgeRemains(snapshot, expected, byHand, true),
    ...snapshot.intents.map(({ schema, migration }) => `${schema}: an intent of ${migration} is left`),
    ...final.schemas.flatMap(({ schema, history }) => {
      const is = found.get(schema)?.history ?? [];
      return is.join() === history.join()
        ? []
        : [`${schema}: its history is [${is.join(', ')}], and it should be [${history.join(', ')}]`];
    }),
    ...scenario.organizations.flatMap((organization) => {
      const [status, wanted] = [snapshot, final].map(
        ({ tenants }) => tenants.find((each) => each.organization === organization)?.status,
      );
      return status === wanted ? [] : [`${organization} is ${status ?? 'not registered'}`];
    }),
    ...final.schemas.flatMap(({ schema }) =>
      hasSameRights(schema, snapshot, final)
        ? []
        : [`${schema}: the rights of the application's role are not as asked`],
    ),
  ];
}

/** Whether a schema's content differs from what its history implies. */
export function disagreement(
  { schema, history, content }: SchemaSnapshot,
  { contents, varying }: Pick<Expected, 'contents' | 'varying'>,
): Findings {
  const expected = contents.get(contentKey(schema, history));
  if (expected === undefined) return [`${schema}: no run ends with the history [${history.join(', ')}]`];
  const [is, wants] = [content, expected].map((lines) => comparable(schema, lines, varying));
  const lines = differences(is ?? [], wants ?? []);
  if (lines.length === 0) return [];
  const has = new Set(is);
  return [
    `${schema}: its history is [${history.join(', ')}], and the schema is not what that stands for: ${lines
      .slice(0, 6)
      .map((line) => `${has.has(line) ? 'it has' : 'it lacks'} ${line}`)
      .join('; ')}${lines.length > 6 ? `; and ${lines.length - 6} more` : ''}`,
  ];
}

/** Numbers rows that are equal or vary, so that they compare. */
function comparable(schema: string, lines: readonly string[], varying: ReadonlySet<string>): string[] {
  const seen = new Map<string, number>();
  return lines.map((line) => {
    const table = /^row ([^ ]+) /.exec(line)?.[1];
    const name = table !== undefined && varying.has(`${schema}.${table}`) ? `row ${table}` : line;
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    return times === 1 ? name : `${name} (${times})`;
  });
}

function halfMade({ tenants, verbs }: Snapshot, { scenario, start }: Expected): Findings {
  const unowned = start.tenants.filter(({ organization }) => organization === undefined);
  const unfinished = new Set(verbs.map(({ organization }) => organization));
  return tenants.flatMap(({ schema, organization, status, hasSchema }) => {
    if (organization === undefined)
      return unowned.some((each) => each.schema === schema)
        ? []
        : [`${schema}: a schema that belongs to no tenant`];
    if (unfinished.has(organization)) return [];
    if (status === 'ACTIVE' || status === 'SUSPENDED')
      return hasSchema ? [] : [`${schema}: ${status}, and there is no schema`];
    // What precedes a migration outside a transaction is committed separately.
    return hasSchema && !scenario.hasOutside ? [`${schema}: ${status}, and there is a schema`] : [];
  });
}

/** Whether the ledger's changes lead from the initial histories to the current ones. */
function ledgerDisagreement(snapshot: Snapshot, { start }: Expected, byHand: ReadonlySet<string>): Findings {
  const before = new Map(start.schemas.map(({ schema, history }) => [schema, history]));
  const deeds = snapshot.deeds
    .slice(start.deeds.length)
    .filter(({ outcome }) => outcome !== 'seeded' && outcome !== 'written');
  const remaining = new Set(snapshot.schemas.map(({ schema }) => schema));
  // The only one that a command renames.
  const renamed = start.schemas.find(({ schema }) => !remaining.has(schema))?.history;
  const unfinished = unfinishedSchemas(snapshot);
  return snapshot.schemas.flatMap(({ schema, history }) => {
    if (byHand.has(schema) || unfinished.has(schema)) return [];
    // Its history is that of the backup, and of what was pending.
    if (deeds.some((deed) => deed.schema === schema && BROUGHT.has(deed.outcome))) return [];
    const byLedger = new Set(before.get(schema) ?? renamed);
    for (const { direction, names } of deeds.filter((deed) => deed.schema === schema)) {
      for (const name of names.filter((each) => !each.startsWith('repeatable/'))) {
        if (direction === 'up') byLedger.add(name);
        else byLedger.delete(name);
      }
    }
    const lines = differences([...byLedger], history);
    return lines.length === 0 ? [] : [`${schema}: ledger and history differ in ${lines.join(', ')}`];
  });
}

/** Whether the ledger's last suspension or resumption is what the registry says. */
function statusDisagreement(snapshot: Snapshot, { start }: Expected): Findings {
  const { tenants, deeds } = snapshot;
  const unfinished = unfinishedSchemas(snapshot);
  return tenants.flatMap(({ schema, organization, status }) => {
    if (unfinished.has(schema)) return [];
    const last = deeds.findLast((deed) => deed.schema === schema && STATUS_AFTER[deed.outcome] !== undefined);
    const before = start.tenants.find((tenant) => tenant.organization === organization)?.status;
    const expected = last === undefined ? undefined : STATUS_AFTER[last.outcome];
    const isExplained =
      expected === undefined ? status !== 'SUSPENDED' || before === status : status === expected;
    return isExplained
      ? []
      : [`${schema}: it is ${status}, and the ledger says ${last?.outcome ?? 'nothing'}`];
  });
}

const STATUS_AFTER: Readonly<Record<string, string>> = {
  suspended: 'SUSPENDED',
  resumed: 'ACTIVE',
  archived: 'ARCHIVED',
  unarchived: 'ACTIVE',
  adopted: 'ACTIVE',
  cloned: 'ACTIVE',
};

/** Outcomes that bring a history with them. */
const BROUGHT: ReadonlySet<string> = new Set(['restored', 'unarchived', 'cloned']);

/** The schemas of tenants whose verb has not ended. */
function unfinishedSchemas({ tenants, verbs }: Snapshot): ReadonlySet<string> {
  const unfinished = new Set(verbs.map(({ organization }) => organization));
  return new Set(
    tenants.flatMap(({ organization, schema }) =>
      organization !== undefined && unfinished.has(organization) ? [schema] : [],
    ),
  );
}

function hasSameRights(schema: string, one: Snapshot, other: Snapshot): boolean {
  return one.rights[schema]?.join() === other.rights[schema]?.join();
}
