import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import type { TestFleet } from './fleet.ts';
import { standingFleet, type StandingFleet } from './standing-fleet.ts';
import { expectTruth, FORGIVING, hideHistories, historyOf, promptly, session, stamped } from './stamps.ts';

/** Unchanged tenants, whose histories are locked while the commands run. */
export const OTHERS: readonly [string, string] = ['org_other_1', 'org_other_2'];

export interface Seen {
  readonly attention: string | undefined;
  readonly outcome: string | undefined;
  readonly names: readonly string[];
  readonly totals: { readonly upToDate: number; readonly failed: number };
}

/** A fleet shared by a file's tests, each with its own additional tenant. */
export interface StampedFleet {
  readonly fleet: () => TestFleet;
  /** Provisions a tenant with a stamp. It leaves the registry when the test ends. */
  readonly newTenant: () => Promise<string>;
  /**
   * Executes statements without tenantctl in one session. $S: the tenant's schema, $F: the trigger function
   * in it, $H: its history, $L: Knex's lock table, $O: another tenant's schema. "!" runs tenantctl.
   */
  readonly perform: (id: string, statements: readonly string[]) => Promise<void>;
  /** Runs `status`, then `migrate tenants`, while the other histories are locked. */
  readonly ask: (id: string) => Promise<Seen>;
}

/** Call it at the top of a file. */
export function useStampedFleet(): StampedFleet {
  let standing: StandingFleet | undefined;
  let number = 0;
  beforeAll(async () => {
    standing = await standingFleet(OTHERS, FORGIVING);
  });
  afterAll(() => standing?.close());
  const fleet = () => {
    if (standing === undefined) throw new Error('The fleet is there for tests only.');
    return standing.fleet;
  };
  return {
    fleet,
    async newTenant() {
      number += 1;
      const id = `org_${number}`;
      onTestFinished(async () => {
        await fleet().query('DELETE FROM tenants WHERE clerk_org_id = $1', [id]);
      });
      for (const { error } of await fleet().provision(id)) if (error !== undefined) throw error;
      expect(await stamped(fleet()), 'who is stamped').toEqual([id, ...OTHERS].toSorted());
      return id;
    },
    async perform(id, statements) {
      const client = await session(fleet());
      for (const statement of statements) {
        if (statement === '!') {
          await fleet().migrate();
          continue;
        }
        const text = statement
          .replaceAll('$H', () => historyOf(id))
          .replaceAll('$L', () => `${historyOf(id)}_lock`)
          .replaceAll('$F', () => `${schemaNameFor(id)}.${triggerFunctionOf(schemaNameFor(id))}`)
          .replaceAll('$S', () => schemaNameFor(id))
          .replaceAll('$O', () => schemaNameFor(OTHERS[0]));
        await client.query(text);
      }
      await client.end();
    },
    async ask(id) {
      const hidden = await hideHistories(fleet(), OTHERS);
      const status = await promptly(fleet().status());
      await promptly(expectTruth(fleet(), id));
      const run = await promptly(fleet().migrate());
      await hidden.show();
      const state = status.states.find(({ tenant }) => tenant.clerkOrgId === id);
      const result = run.tenants.find(({ clerkOrgId }) => clerkOrgId === id);
      return {
        attention: state?.attention?.code,
        outcome: result?.outcome ?? 'up-to-date',
        names: result?.names ?? [],
        totals: run.totals,
      };
    },
  };
}

/** The name of the trigger function in a schema: src/core/stamps/server-routines.ts, history_trigger_name. */
function triggerFunctionOf(schema: string): string {
  return `tenantctl_unstamp_${createHash('sha256').update(schema).digest('hex').slice(0, 10)}`;
}
