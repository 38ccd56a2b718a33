import { expect } from 'vitest';
import type { MigrateTenantsOptions } from '../../src/core/commands/migrate-tenants.ts';
import type { FleetResult } from '../../src/core/report/results.ts';
import type { RollbackTenantsOptions } from '../../src/core/commands/rollback-tenants.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { createFleet, type FleetOptions, type TestFleet } from './fleet.ts';
import { contentsOf } from './tenant-content.ts';
import { watchWays, type Way } from './ways.ts';

/**
 * Two fleets with the same data in one database: one may be sent compiled strings, the other is migrated
 * statement by statement, as Knex would.
 */
export interface Twins {
  readonly fleet: TestFleet;
  /** The organizations that may get compiled strings, in the run's order. */
  readonly compiled: readonly string[];
  readonly interactive: readonly string[];
  migrate(options?: Partial<MigrateTenantsOptions>): Promise<TwinResults>;
  rollback(options?: Partial<RollbackTenantsOptions>): Promise<TwinResults>;
  /** How each of the first fleet's latest history rows was written or deleted. */
  ways(): Promise<(Way | undefined)[]>;
  /** Fails if a tenant differs from its twin in catalog, rows or history, a stamp lies, or a tenant that has not failed has none. */
  expectSame(failed?: readonly string[]): Promise<void>;
}

export interface TwinResults {
  readonly compiled: FleetResult;
  readonly interactive: FleetResult;
  /** Why plans were run for every tenant separately. */
  readonly notes: readonly string[];
}

/** The usual tenants of both fleets; `prepare` returns SQL to prepare the nth of each. */
export async function createTwins(
  count: number,
  prepare: (nth: number) => string | undefined = () => undefined,
  options: FleetOptions = {},
): Promise<Twins> {
  const { compiled, interactive } = twinNames(count);
  const fleet = await createFleet([...compiled, ...interactive], options);
  return twinsOn(fleet, count, prepare);
}

export function twinNames(count: number): Record<'compiled' | 'interactive', readonly string[]> {
  const names = (kind: string) =>
    Array.from({ length: count }, (_, nth) => `${kind}_${String(nth).padStart(3, '0')}`);
  return { compiled: names('sent'), interactive: names('gone') };
}

/** SQL that prepares every tenant of both fleets. */
export function preparation(count: number, prepare: (nth: number) => string | undefined): string {
  const { compiled, interactive } = twinNames(count);
  const statements = [compiled, interactive].flatMap((organizations) =>
    organizations.map(
      (organization, nth) => `SET search_path TO ${schemaNameFor(organization)};${prepare(nth) ?? ''};`,
    ),
  );
  return statements.join('\n');
}

/** The same for a provisioned fleet. */
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
        event.type === 'note' && event.message.includes('separately') && notes.push(event.message);
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
    async expectSame(failed = []) {
      const contents = await contentsOf(fleet, [...compiled, ...interactive]);
      expect(contents.slice(0, count)).toEqual(contents.slice(count));
      const stamps = await fleet.query<{ schema_name: string; is_true: boolean }>(
        `SELECT schema_name, digest = (tenantctl.read_history(schema_name)).digest AS is_true FROM tenantctl.trusted_stamps`,
      );
      expect(stamps.filter(({ is_true: isTrue }) => !isTrue)).toEqual([]);
      const others = [...compiled, ...interactive].filter((organization) => !failed.includes(organization));
      expect(stamps.map(({ schema_name: schema }) => schema)).toEqual(
        expect.arrayContaining(others.map(schemaNameFor)),
      );
    },
  };
}
