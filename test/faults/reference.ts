import type { FaultDatabase } from './databases.ts';
import type { Heard } from './listen.ts';
import { differences } from './differences.ts';
import type { Scenario } from './scenario.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';
import type { Stage } from './stage.ts';
import type { Passing } from './wire/pieces.ts';

/** The expected results of a scenario's command, and where a fault may strike. */
export interface Reference {
  readonly scenario: Scenario;
  readonly template: FaultDatabase;
  readonly start: Snapshot;
  readonly final: Snapshot;
  /** The expected content of a schema with that history, by contentKey. */
  readonly contents: ReadonlyMap<string, readonly string[]>;
  /** Tables (`schema.table`) whose rows differ between undisturbed runs: their rows are only counted. */
  readonly varying: ReadonlySet<string>;
  readonly heard: Readonly<Record<Passing, Heard>>;
}

export function contentKey(schema: string, history: readonly string[]): string {
  return JSON.stringify([schema, ...history]);
}

/** @throws Error if an undisturbed run fails, or two of them differ */
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
    ...compareContents(
      // A verb may change the rows of a schema whose history stays.
      scenario.verb === undefined
        ? [...snapshots, whole.snapshot, statements.snapshot]
        : [whole.snapshot, statements.snapshot],
    ),
  };
}

/** The content for each history, and the tables whose rows vary. */
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
