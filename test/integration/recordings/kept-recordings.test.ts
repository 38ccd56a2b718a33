import { expect, test } from 'vitest';
import { createFleet, type TestFleet } from '../../support/fleet.ts';
import { createTable } from '../../support/project.ts';
import { AT_ONCE, INTERACTIVELY, watchSignUps, type SignUps } from '../../support/sign-ups.ts';
import { contentsOf } from '../../support/tenant-content.ts';

const FILE = '20260101000000_more.sql';

interface Kept extends SignUps {
  readonly fleet: TestFleet;
}

/** A fleet of one tenant, who has shown what the migrations send. */
async function keptFleet(more = createTable('more')): Promise<Kept> {
  const fleet = await createFleet([]);
  await fleet.add(FILE, more);
  const ups = await watchSignUps(fleet);
  expect(await ups.signUp('one')).toEqual(INTERACTIVELY);
  return { fleet, ...ups };
}

const usable = async ({ fleet }: Pick<Kept, 'fleet'>) =>
  (
    await fleet.query<{ stem: string }>(
      `SELECT stem FROM tenantctl.recordings WHERE is_usable AND direction = 'up' AND body::jsonb -> 'shown' ? 'pieces' ORDER BY 1`,
    )
  ).map(({ stem }) => stem.slice(15));

test('what a sign-up was sent is sent to the next ones at once, and makes the same of them', async () => {
  const kept = await keptFleet();
  expect(await kept.signUp('three')).toEqual(AT_ONCE);
  expect(await kept.signUp('plain', { recordings: false })).toEqual(INTERACTIVELY);
  const [three, plain] = await contentsOf(kept.fleet, ['three', 'plain']);
  expect(three).toEqual(plain);
  const { totals } = await kept.fleet.migrate({ verify: true });
  expect(totals).toMatchObject({ upToDate: 3, failed: 0 });
});

test('a deploy shows what the next sign-up and a rollback are sent, and the other way round', async () => {
  const kept = await keptFleet();
  const { fleet } = kept;
  await fleet.add('20260102000000_later.sql', createTable('later'));
  await fleet.migrate();
  expect(await kept.signUp('three')).toEqual(AT_ONCE);
  await fleet.rollback();
  const downs = await fleet.query(
    `SELECT stem FROM tenantctl.recordings WHERE is_usable AND direction = 'down'`,
  );
  expect(downs).toEqual([{ stem: '20260102000000_later' }]);
});

test('a tenant that failed shows nothing', async () => {
  const fleet = await createFleet([]);
  await fleet.add(FILE, '-- migrate:up\nCREATE TABLE more (id int);\nSELECT 1 / 0;\n');
  const { signUp } = await watchSignUps(fleet);
  await expect(signUp('one')).rejects.toThrow('division by zero');
  expect(await fleet.query('SELECT FROM tenantctl.recordings')).toEqual([]);
});

test.each([
  ['a password', `CREATE ROLE kept_reader PASSWORD 'Geheim.1234'`],
  ['a connection string', `COMMENT ON TABLE notes IS 'postgres://app:Geheim.1234@db/app'`],
])('a migration with %s is not kept', async (_what, statement) => {
  const fleet = await createFleet([]);
  await fleet.add(FILE, `-- migrate:up\nDO $$ BEGIN IF false THEN ${statement}; END IF; END $$;\n`);
  const { signUp } = await watchSignUps(fleet);
  expect(await signUp('one')).toEqual(INTERACTIVELY);
  expect((await signUp('three')).way).toBe('in parts');
  expect(await usable({ fleet })).toEqual(['notes', 'tags']);
  const [kept] = await fleet.query<{ body: string }>(
    `SELECT body FROM tenantctl.recordings WHERE stem LIKE '%more'`,
  );
  expect(kept?.body).toContain('it may hold a secret');
  expect(kept?.body).not.toContain('Geheim');
});

test('with recordings off, and without compiling, nothing is written', async () => {
  const fleet = await createFleet([]);
  const { signUp } = await watchSignUps(fleet);
  await signUp('one', { recordings: false });
  await signUp('two', { compile: false });
  expect(await fleet.query('SELECT FROM tenantctl.recordings')).toEqual([]);
});

test('two writers at once leave one row that both have shown', async () => {
  const fleet = await createFleet([]);
  const { signUp } = await watchSignUps(fleet);
  await Promise.all([signUp('one', {}, await fleet.testDatabase.open()), signUp('two')]);
  expect(await usable({ fleet })).toEqual(['notes', 'tags']);
});

test('two plans of one run that have a migration in common keep what it was sent', async () => {
  const fleet = await createFleet(['one', 'two']);
  await fleet.add(FILE, createTable('more'));
  await fleet.migrate({ tenants: ['one'] });
  await fleet.add('20260102000000_later.sql', createTable('later'));
  const warnings: string[] = [];
  await fleet.migrate({
    observe: (event) => void (event.type === 'warning' && warnings.push(event.message)),
  });
  expect(warnings).toEqual([]);
  expect(await usable({ fleet })).toContain('later');
});
