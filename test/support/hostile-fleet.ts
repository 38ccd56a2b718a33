import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { USUAL_FILES } from './project.ts';
import { standingFleet, type StandingFleet } from './standing-fleet.ts';

/** Names that end a script, close an attribute, go from right to left, or are very long. */
export const HOSTILE = [
  '</script><script>globalThis.isHurt = true</script>',
  '"><img src=x onerror="globalThis.isHurt = true">',
  'مؤسسة النور',
  '\u202Egro_desrever',
  '🏢 Emoji & Söhne',
  'x'.repeat(200),
];

/** A message as hostile as the names, with a password. */
const MESSAGE = `</script><img src=x onerror="globalThis.isHurt = true"> {b|rich} مرحبا postgres://u:hunter2secret@h/d`;

/**
 * A fleet with a tenant of each class: two up to date, three behind, the hostile ones failed, one suspended, and one
 * whose schema is missing.
 */
export async function hostileFleet(): Promise<StandingFleet> {
  const plain = ['org_1', 'org_2', 'org_3', 'org_4', 'org_5', 'org_6', 'org_7'];
  const standing = await standingFleet([...plain, ...HOSTILE], USUAL_FILES);
  const { fleet } = standing;
  await fleet.query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_6'`);
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_7')} CASCADE`);
  for (const name of HOSTILE) await fleet.query(`INSERT INTO ${schemaNameFor(name)}.notes VALUES (1)`);
  await fleet.add(
    '20260101000003_hostile.sql',
    `-- migrate:up
DO $$ BEGIN
  IF EXISTS (SELECT FROM notes) THEN RAISE EXCEPTION USING MESSAGE = '${MESSAGE}'; END IF;
END $$;
-- migrate:down
SELECT 1;`,
  );
  await fleet.migrate({ tenants: ['org_1', 'org_2', ...HOSTILE] });
  return standing;
}
