import type { Databases, FaultDatabase } from './databases.ts';
import { callUndisturbed } from './program.ts';
import type { Projects } from './projects.ts';
import type { Call } from './calls.ts';
import type { Scenario } from './scenario.ts';
import { takeSnapshot, type Snapshot } from './snapshot.ts';

/** What all cases share: the server's databases, the projects, and where each scenario starts. */
export interface Stage {
  readonly databases: Databases;
  readonly projects: Projects;
  /** The database from which a scenario starts, to be copied. */
  template(scenario: Scenario): Promise<FaultDatabase>;
  /** What an undisturbed call makes of a scenario's start. Scenarios that share both share what was seen. */
  outcome(scenario: Scenario, call: Call): Promise<Snapshot>;
}

export function createStage(databases: Databases, projects: Projects): Stage {
  const build = async ({ before, isAdopted }: Scenario): Promise<FaultDatabase> => {
    const database = await databases.create();
    for (const call of before) await callUndisturbed(projects, call, database, databases);
    if (isAdopted === true) await takeOutTenantctl(database);
    return database;
  };
  const template = once(startOf, build);
  const outcome = once(
    (scenario: Scenario, call: Call) => JSON.stringify([startOf(scenario), call]),
    async (scenario: Scenario, call: Call) => {
      const database = await databases.create(await template(scenario));
      try {
        await callUndisturbed(projects, call, database, databases);
        return await takeSnapshot(database);
      } finally {
        await database.drop();
      }
    },
  );
  return { databases, projects, template, outcome };
}

/** Names where a scenario starts. */
function startOf({ before, isAdopted }: Scenario): string {
  return JSON.stringify([before, isAdopted]);
}

/** Makes it once for each key. */
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

/** Leaves what Knex leaves: the histories, and nothing that watches them. */
async function takeOutTenantctl(database: FaultDatabase): Promise<void> {
  await database.query(
    `DO $$ DECLARE routine regprocedure; BEGIN
       DROP SCHEMA tenantctl CASCADE;
       FOR routine IN SELECT oid FROM pg_proc WHERE proname LIKE 'tenantctl\\_unstamp%' LOOP
         EXECUTE format('DROP FUNCTION %s CASCADE', routine);
       END LOOP;
     END $$`,
  );
}
