import type { FaultDatabase } from './databases.ts';
import type { Heard } from './listen.ts';
import type { Scenario } from './scenario.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';
import type { Stage } from './stage.ts';
import type { Passing } from './wire/pieces.ts';

/** What undisturbed runs of a scenario's command show: what must be, and where a fault may strike. */
export interface Reference {
  readonly scenario: Scenario;
  readonly template: FaultDatabase;
  readonly start: Snapshot;
  readonly final: Snapshot;
  /** What a schema with that history holds, by contentKey. */
  readonly contents: ReadonlyMap<string, readonly string[]>;
  /** Tables of which undisturbed runs wrote different rows: of these, rows are only counted. By `schema.table`. */
  readonly varying: ReadonlySet<string>;
  readonly heard: Readonly<Record<Passing, Heard>>;
}

export function contentKey(schema: string, history: readonly string[]): string {
  return JSON.stringify([schema, ...history]);
}

/** @throws Error where an undisturbed run fails, or two of them do not come to the same */
export async function makeReference(stage: Stage, scenario: Scenario): Promise<Reference> {
  const template = await stage.template(scenario);
  const start = await takeSnapshot(template);
  const snapshots = [start];
  for (const step of scenario.steps) snapshots.push(await stage.outcome(scenario, step));
  const whole = await stage.undisturbed(scenario, 'whole');
  const statements = await stage.undisturbed(scenario, 'statements');
  return {
    scenario,
    template,
    start,
    final: statements.snapshot,
    heard: { whole: whole.heard, statements: statements.heard },
    ...compareContents([...snapshots, whole.snapshot, statements.snapshot]),
  };
}

/** What each history stands for, and which tables hold rows that are not the same each time. */
function compareContents(snapshots: readonly Snapshot[]): Pick<Reference, 'contents' | 'varying'> {
  const contents = new Map<string, readonly string[]>();
  const varying = new Set<string>();
  for (const { schema, history, content } of snapshots.flatMap(({ schemas }) => schemas)) {
    const key = contentKey(schema, history);
    const known = contents.get(key);
    contents.set(key, known ?? content);
    for (const line of known === undefined ? [] : differences(known, content)) {
      const table = /^row ([^ ]+) /.exec(line)?.[1];
      if (table === undefined)
        throw new Error(`Two undisturbed runs left ${schema} with one history and two forms: ${line}`);
      varying.add(`${schema}.${table}`);
    }
  }
  return { contents, varying };
}

/** The lines that one has and the other has not. */
export function differences(one: readonly string[], other: readonly string[]): string[] {
  const [has, wants] = [new Set(one), new Set(other)];
  return [...one.filter((line) => !wants.has(line)), ...other.filter((line) => !has.has(line))];
}
