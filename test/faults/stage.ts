import type { Databases, FaultDatabase } from './databases.ts';
import { callUndisturbed } from './program.ts';
import type { Projects } from './projects.ts';
import type { Scenario } from './scenario.ts';

/** What all cases share: the server's databases, the projects, and where each scenario starts. */
export interface Stage {
  readonly databases: Databases;
  readonly projects: Projects;
  /** The database from which a scenario starts, to be copied. */
  template(scenario: Scenario): Promise<FaultDatabase>;
}

export function createStage(databases: Databases, projects: Projects): Stage {
  const templates = new Map<string, Promise<FaultDatabase>>();
  const build = async ({ before, isAdopted }: Scenario): Promise<FaultDatabase> => {
    const database = await databases.create();
    for (const call of before) await callUndisturbed(projects, call, database, databases);
    if (isAdopted === true) await takeOutTenantctl(database);
    return database;
  };
  return {
    databases,
    projects,
    template(scenario) {
      const key = JSON.stringify([scenario.before, scenario.isAdopted]);
      const building = templates.get(key) ?? build(scenario);
      templates.set(key, building);
      return building;
    },
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
