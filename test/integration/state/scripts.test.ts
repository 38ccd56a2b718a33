import { expect, test } from 'vitest';
import { schemaNameFor } from '../../../src/core/registry/schema-name.ts';
import {
  forgetScripts,
  outdatedScripts,
  readScripts,
  recordScripts,
  type Script,
} from '../../../src/core/state/scripts.ts';
import { createFleet, type TestFleet } from '../../support/fleet.ts';

const A = schemaNameFor('org_a');
const B = schemaNameFor('org_b');
const VIEWS: Script = { name: 'views.sql', checksum: 'v1' };
const GRANTS: Script = { name: 'grants.sql', checksum: 'g1' };

const repeatable = (fleet: TestFleet) => readScripts(fleet.database, 'repeatable');

test('what a tenant has of scripts is kept by kind, replaced when applied again, and survives a change of its names', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  const record = (schema: string, ...scripts: Script[]) =>
    fleet.query(recordScripts(scripts, { schema, kind: 'repeatable', run: undefined }));
  await record(A, VIEWS, GRANTS);
  await record(B, VIEWS);
  await fleet.query(recordScripts([VIEWS], { schema: B, kind: 'seed', run: 7 }));
  await record(B, { ...VIEWS, checksum: 'v2' });

  await fleet.query(`ALTER SCHEMA ${A} RENAME TO tid_other`);
  await fleet.query(`UPDATE tenants SET schema_name = 'tid_other' WHERE schema_name = '${A}'`);
  await fleet.migrate();
  await record('tid_other', { ...GRANTS, checksum: 'g2' });

  const found = await repeatable(fleet);
  expect([...found.keys()].toSorted()).toEqual([B, 'tid_other'].toSorted());
  expect(outdatedScripts([GRANTS, VIEWS], found.get('tid_other'))).toEqual([GRANTS]);
  expect(found.get(B)).toEqual([{ ...VIEWS, checksum: 'v2' }]);
  expect(await readScripts(fleet.database, 'seed')).toEqual(new Map([[B, [VIEWS]]]));
  expect(await readScripts(fleet.database, 'repeatable', [A])).toEqual(new Map());
  expect(await fleet.query(`SELECT count(DISTINCT tenant)::int AS tenants FROM tenantctl.scripts`)).toEqual([
    { tenants: 2 },
  ]);

  await fleet.query(forgetScripts(B));
  expect([...(await repeatable(fleet)).keys()]).toEqual(['tid_other']);
});

test('a schema that was made anew has no scripts, whatever its name', async () => {
  const fleet = await createFleet(['org_a']);
  await fleet.query(recordScripts([VIEWS], { schema: A, kind: 'repeatable', run: undefined }));
  await fleet.query(`DROP SCHEMA ${A} CASCADE; CREATE SCHEMA ${A}`);
  expect(outdatedScripts([VIEWS], (await repeatable(fleet)).get(A))).toEqual([VIEWS]);
});
