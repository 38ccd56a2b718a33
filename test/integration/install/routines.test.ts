import { describe, expect, test } from 'vitest';
import { warmUp } from '../../../src/core/guard/limits.ts';
import { readForeignParts } from '../../../src/core/install/routines.ts';
import { createFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { examine, line } from '../doctor/examine.ts';

const TENANTS = ['org_a', 'org_b', 'org_c', 'org_d'];

/** Runs a statement in a subtransaction that has ended when the guard looks. */
const inBlock = (text: string) =>
  `DO $block$ BEGIN BEGIN ${text}; EXCEPTION WHEN division_by_zero THEN NULL; END; END $block$`;

const EFFECTS = `CREATE OR REPLACE FUNCTION tenantctl.effects(tenant_schema text, since bigint, largest bigint, noted bigint[], had_keys boolean, columns boolean) RETURNS json LANGUAGE sql AS $f$ SELECT '{"locks":[],"rows":[],"foreignKeys":{}}'::json $f$`;
const STAY_WITHIN = `CREATE OR REPLACE PROCEDURE tenantctl.stay_within(tenant_schema text, shared text[], key_locks text[], drops boolean, thorough boolean, columns boolean) LANGUAGE plpgsql AS $f$ BEGIN END $f$`;

/** Routines that answer for the guard, and say that nothing was done. */
const IN_PLACE_OF_THE_GUARD = {
  'an overload with types that fit a number better': `CREATE FUNCTION tenantctl.effects(text, int, int, bigint[], boolean, boolean) RETURNS json LANGUAGE sql AS $f$ SELECT '{"locks":[],"rows":[],"foreignKeys":{}}'::json $f$`,
  'a replacement of the guard': EFFECTS,
  'a replacement of the guard in a block': inBlock(EFFECTS),
  'a replacement of the guard in strings': STAY_WITHIN,
  'a replacement of the guard in strings in a block': inBlock(STAY_WITHIN),
};

describe('the routines of the schema tenantctl', () => {
  test.each(Object.entries(IN_PLACE_OF_THE_GUARD))(
    '%s is refused for every tenant, also if the first two do not make it',
    async (_, text) => {
      const fleet = await createFleet(TENANTS);
      const hidden = (condition: string) =>
        `-- migrate:up\nDO $do$ BEGIN IF ${condition} THEN EXECUTE $sql$${text}$sql$; END IF; END $do$;`;
      await fleet.add('3_all.sql', hidden('true'));
      const all = await fleet.migrate({ concurrency: 1 });
      await fleet.project.remove('migrations/tenants/3_all.sql');
      await fleet.add(
        '3_one.sql',
        hidden(`current_schema() = (SELECT max(schema_name) FROM public.tenants)`),
      );
      const one = await fleet.migrate({ concurrency: 1 });
      for (const { totals, tenants } of [all, one]) {
        expect(totals.failed).toBeGreaterThan(0);
        const errors = tenants.flatMap(({ error }) => error ?? []);
        for (const { code, message } of errors) {
          expect(code).toBe('MIGRATION_OUTSIDE_SCHEMA');
          expect(message).toMatch(/(created|changed) the (function|procedure) tenantctl\./);
        }
      }
      expect([all.totals.failed, one.totals.failed]).toEqual([4, 1]);
      expect(await readForeignParts(fleet.database)).toEqual([]);
    },
  );

  test('are called by the types that they have, and put right by the next run; the doctor names what differs', async () => {
    const fleet = await createFleet(TENANTS);
    await fleet.query(warmUp());
    expect(await readForeignParts(fleet.database)).toEqual([]);
    const overload = IN_PLACE_OF_THE_GUARD['an overload with types that fit a number better'];
    await fleet.query(`${overload}; ${STAY_WITHIN}; ALTER PROCEDURE tenantctl.note_own(text, boolean) RESET ALL;
      CREATE FUNCTION public.seen() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
      CREATE TRIGGER seen AFTER INSERT ON tenantctl.run_tenants EXECUTE FUNCTION public.seen()`);
    const checks = await examine(fleet.project, fleet.testDatabase.settings);
    expect(line(checks, 'state-schema')).toMatchObject({
      status: 'warning',
      detail:
        'not as tenantctl makes it: effects(text, integer, integer, bigint[], boolean, boolean), note_own(text, boolean), stay_within(text, text[], text[], boolean, boolean, boolean), trigger seen on tenantctl.run_tenants',
    });
    const warnings: string[] = [];
    await fleet.add('3_more.sql', createTable('more'));
    const { totals } = await fleet.migrate({
      observe: (event) => void (event.type === 'warning' && warnings.push(event.message)),
    });
    expect(totals).toMatchObject({ changed: 4, failed: 0 });
    expect(warnings.join('\n')).toContain(
      'have been replaced: effects(text, integer, integer, bigint[], boolean, boolean), note_own(text, boolean), stay_within(',
    );
    expect(await readForeignParts(fleet.database)).toEqual(['trigger seen on tenantctl.run_tenants']);
  });
});
