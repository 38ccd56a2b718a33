import { expect } from 'vitest';
import type { MigrateTenantsOptions } from '../../src/core/commands/migrate-tenants.ts';
import type { FleetResult } from '../../src/core/report/results.ts';
import type { RollbackTenantsOptions } from '../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createFleet, type FleetOptions, type TestFleet } from './fleet.ts';
import { contentsOf } from './tenant-content.ts';
import { watchWays, type Way } from './ways.ts';

/**
 * Two fleets in one database with the same data: to the tenants of the one the same may be sent, through the others
 * every migration is gone statement by statement, as Knex would.
 */
export interface Twins {
  readonly fleet: TestFleet;
  /** The organizations that may be sent the same, in the order in which a run comes to them. */
  readonly compiled: readonly string[];
  readonly interactive: readonly string[];
  migrate(options?: Partial<MigrateTenantsOptions>): Promise<TwinResults>;
  rollback(options?: Partial<RollbackTenantsOptions>): Promise<TwinResults>;
  /** By which way each of the first fleet's last rows of the history came about, or went. */
  ways(): Promise<(Way | undefined)[]>;
  /** Fails where a tenant is not as its twin is, catalog, rows and history, or has no stamp that is to be trusted. */
  expectSame(): Promise<void>;
}

export interface TwinResults {
  readonly compiled: FleetResult;
  readonly interactive: FleetResult;
  /** What was noted while the first fleet was served. */
  readonly notes: readonly string[];
}

/** The usual tenants of both fleets; `prepare` gives the SQL that makes the nth of each what it is. */
export async function createTwins(
  count: number,
  prepare: (nth: number) => string | undefined = () => undefined,
  options: FleetOptions = {},
): Promise<Twins> {
  const { compiled, interactive } = twinNames(count);
  const fleet = await createFleet([...compiled, ...interactive], options);
  return twinsOn(fleet, count, prepare);
}

/** The organizations of both fleets. */
export function twinNames(count: number): Record<'compiled' | 'interactive', readonly string[]> {
  const names = (kind: string) =>
    Array.from({ length: count }, (_, nth) => `${kind}_${String(nth).padStart(3, '0')}`);
  return { compiled: names('sent'), interactive: names('gone') };
}

/** SQL that makes every tenant of both fleets what it is. */
export function preparation(count: number, prepare: (nth: number) => string | undefined): string {
  const { compiled, interactive } = twinNames(count);
  const statements = [compiled, interactive].flatMap((organizations) =>
    organizations.map(
      (organization, nth) => `SET search_path TO ${schemaNameFor(organization)};${prepare(nth) ?? ''};`,
    ),
  );
  return statements.join('\n');
}

/** The same on a fleet that has been provisioned. */
export async function twinsOn(
  fleet: TestFleet,
  count: number,
  prepare: (nth: number) => string | undefined,
): Promise<Twins> {
  const { compiled, interactive } = twinNames(count);
  await fleet.query(preparation(count, prepare));
  const ways = await watchWays(fleet);

  const both = async (
    run: (options: { tenants: readonly string[]; compile: boolean }) => Promise<FleetResult>,
  ) => ({
    compiled: await run({ tenants: compiled, compile: true }),
    interactive: await run({ tenants: interactive, compile: false }),
  });
  return {
    fleet,
    compiled,
    interactive,
    async migrate(more = {}) {
      const notes: string[] = [];
      const observe: MigrateTenantsOptions['observe'] = (event) =>
        event.type === 'note' && notes.push(event.message);
      const results = await both((given) => fleet.migrate({ observe, ...more, ...given }));
      return { ...results, notes };
    },
    async rollback(more = {}) {
      return { ...(await both((given) => fleet.rollback({ ...more, ...given }))), notes: [] };
    },
    async ways() {
      const seen = await ways();
      return compiled.map((organization) => seen.get(organization));
    },
    async expectSame() {
      const contents = await contentsOf(fleet, [...compiled, ...interactive]);
      expect(contents.slice(0, count)).toEqual(contents.slice(count));
      const trusted = await fleet.query<{ schema_name: string }>(
        `SELECT schema_name FROM tenantctl.trusted_stamps s
         WHERE digest = (tenantctl.read_history(schema_name)).digest`,
      );
      expect(trusted.map(({ schema_name }) => schema_name).toSorted()).toEqual(
        [...compiled, ...interactive].map(schemaNameFor).toSorted(),
      );
    },
  };
}
