import type { Call } from './calls.ts';
import type { Databases, FaultDatabase } from './databases.ts';
import { listenTo, type Heard } from './listen.ts';
import { callUndisturbed } from './program.ts';
import type { Projects } from './projects.ts';
import type { Scenario } from './scenario.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';
import type { Passing } from './wire/pieces.ts';

/** The traffic and the outcome of an undisturbed command. */
export interface Undisturbed {
  readonly heard: Heard;
  readonly snapshot: Snapshot;
}

/** Shared by all cases: the server's databases, the projects, and each scenario's start. */
export interface Stage {
  readonly databases: Databases;
  readonly projects: Projects;
  /** The template database of a scenario's start. */
  template(scenario: Scenario): Promise<FaultDatabase>;
  /** The outcome of an undisturbed call from a scenario's start. Cached by start and call. */
  outcome(scenario: Scenario, call: Call): Promise<Snapshot>;
  /** A scenario's command, undisturbed and alone. Cached by start and command. */
  undisturbed(scenario: Scenario, passing: Passing): Promise<Undisturbed>;
}

export function createStage(databases: Databases, projects: Projects): Stage {
  /** The database after these calls in sequence, starting empty. */
  const after = once(
    (calls: readonly Call[]) => JSON.stringify(calls),
    async (calls: readonly Call[]): Promise<FaultDatabase> => {
      const [last, ...sooner] = calls.toReversed();
      if (last === undefined) return databases.create();
      const database = await databases.create(await after(sooner.toReversed()));
      await callUndisturbed(projects, last, database, databases);
      return database;
    },
  );
  const template = once(startOf, async ({ before, sql }: Scenario) => {
    const built = await after(before);
    if (sql === undefined) return built;
    const database = await databases.create(built);
    await database.query(sql);
    return database;
  });
  const onCopy = async <T>(scenario: Scenario, use: (database: FaultDatabase) => Promise<T>): Promise<T> => {
    const database = await databases.create(await template(scenario));
    try {
      return await use(database);
    } finally {
      await database.drop();
    }
  };
  return {
    databases,
    projects,
    template,
    outcome: once(
      (scenario: Scenario, call: Call) => JSON.stringify([startOf(scenario), call]),
      (scenario: Scenario, call: Call) =>
        onCopy(scenario, async (database) => {
          await callUndisturbed(projects, call, database, databases);
          return takeSnapshot(database);
        }),
    ),
    undisturbed: once(
      (scenario: Scenario, passing: Passing) => JSON.stringify([startOf(scenario), scenario.call, passing]),
      (scenario: Scenario, passing: Passing) =>
        onCopy(scenario, async (database) => ({
          heard: await listenTo({ databases, projects }, scenario.call, database, passing),
          snapshot: await takeSnapshot(database),
        })),
    ),
  };
}

function startOf({ before, sql }: Scenario): string {
  return JSON.stringify([before, sql]);
}

function once<Args extends unknown[], T>(
  keyOf: (...args: Args) => string,
  make: (...args: Args) => Promise<T>,
): (...args: Args) => Promise<T> {
  const made = new Map<string, Promise<T>>();
  return (...args) => {
    const key = keyOf(...args);
    const making = made.get(key) ?? make(...args);
    made.set(key, making);
    return making;
  };
}
