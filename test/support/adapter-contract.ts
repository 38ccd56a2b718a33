import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { RunOptions, TenantContext } from '../../src/app/calls.ts';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { INIT_SQL } from './init-sql.ts';
import { createTable } from './project.ts';
import { refusalOf } from './refusal.ts';
import { standingFleet, type StandingFleet } from './standing-fleet.ts';

/** A db of an ORM and its adapter, under test. `Handle` is what the work of a call gets. */
export interface AdapterUnderTest<Handle> {
  run<Result>(
    org: string | TenantContext,
    work: (handle: Handle) => Promise<Result>,
    options?: RunOptions,
  ): Promise<Result>;
  current(): TenantContext | undefined;
  /** Adds a note, and reads their ids, by the ORM's own means. */
  add(handle: Handle, id: number): Promise<unknown>;
  ids(handle: Handle): Promise<number[]>;
  /** Sends a statement as it is, and returns its rows. */
  sql(handle: Handle, text: string): Promise<unknown>;
  /** Work in a savepoint, by the ORM's own means. */
  inSavepoint(handle: Handle, work: (inner: Handle) => Promise<unknown>): Promise<unknown>;
  /** The db itself. */
  readonly outside: Handle;
  close(): Promise<unknown>;
}

const FILES = {
  'package.json': '{"type":"module"}',
  'migrations/master/1_init.sql': INIT_SQL,
  'migrations/master/2_notes.sql': createTable('public.notes', 'id int PRIMARY KEY'),
  'migrations/tenants/1_notes.sql': createTable('notes'),
};

/** What stays in a session, as one row. */
const SESSION = `SELECT current_setting('search_path') AS path, current_user::text AS role, current_setting('timezone') AS zone,
  current_setting('statement_timeout') AS timeout, (SELECT count(*)::int FROM pg_prepared_statements) AS prepared,
  (SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) AS locks`;

const codes = (work: Promise<unknown>) => refusalOf(work).then(({ code }) => code);

/** The codes of the error that rejects this, and of what it tells as its causes: ORMs wrap the errors of statements. */
async function codesIn(work: Promise<unknown>): Promise<unknown[]> {
  const thrown: unknown = await work.then(
    () => new Error('It was allowed.'),
    (reason: unknown) => reason,
  );
  const found: unknown[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) {
    // Prisma's are in `meta` (https://www.prisma.io/docs/orm/reference/error-reference).
    const { code, meta } = error as {
      readonly code?: unknown;
      readonly meta?: {
        readonly driverAdapterError?: { readonly cause?: { readonly originalCode?: unknown } };
      };
    };
    found.push(code, meta?.driverAdapterError?.cause?.originalCode);
  }
  return found;
}

/**
 * What every adapter does, on a fleet with the tenants org_a, org_b and the suspended org_off.
 * @param open opens a db with that many connections
 */
export function describeAdapter<Handle>(
  name: string,
  open: (url: string, connections: number) => Promise<AdapterUnderTest<Handle>>,
): { readonly fleet: () => StandingFleet['fleet'] } {
  let standing: StandingFleet | undefined;
  const fleet = () => standing?.fleet ?? expect.unreachable();
  const using = async (connections: number, work: (adapter: AdapterUnderTest<Handle>) => Promise<void>) => {
    const adapter = await open(fleet().testDatabase.url, connections);
    try {
      await work(adapter);
    } finally {
      await adapter.close();
    }
  };
  beforeAll(async () => {
    standing = await standingFleet(['org_a', 'org_b', 'org_off'], FILES);
    await fleet().query(`UPDATE tenants SET status = 'SUSPENDED' WHERE clerk_org_id = 'org_off'`);
    await fleet().query('INSERT INTO public.notes VALUES (-1)');
  });
  beforeEach(async () => {
    for (const org of ['org_a', 'org_b']) await fleet().query(`DELETE FROM ${schemaNameFor(org)}.notes`);
  });
  afterAll(() => standing?.close());

  describe(`withTenant of ${name}`, () => {
    test('reads and writes its tenant only; the db itself and its session are as before', () =>
      using(1, async (adapter) => {
        const before = await adapter.sql(adapter.outside, SESSION);
        await adapter.run('org_a', (a) => adapter.add(a, 1));
        await adapter.run('org_b', (b) => adapter.add(b, 2), { isolation: 'serializable' });
        await adapter.run('org_a', async (a) => {
          expect(await adapter.ids(a)).toEqual([1]);
          await adapter.sql(
            a,
            `SELECT set_config('search_path', 'public', false), set_config('timezone', 'Asia/Tokyo', false)`,
          );
        });
        expect(await adapter.run('org_b', (b) => adapter.ids(b), { readOnly: true })).toEqual([2]);
        expect(await adapter.ids(adapter.outside)).toEqual([-1]);
        expect(await adapter.sql(adapter.outside, SESSION)).toEqual(before);
      }));

    test('refuses tenants that must not be used, each with its code', () =>
      using(1, async (adapter) => {
        const never = () => Promise.reject(new Error('The work began.'));
        expect(await codes(adapter.run('org_none', never))).toBe('TENANT_UNKNOWN');
        expect(await codes(adapter.run('org_off', never))).toBe('TENANT_NOT_ACTIVE');
        expect(await codes(adapter.run('org_a', never, { atLeast: '9_later' }))).toBe('TENANT_BEHIND');
        expect(await adapter.run('org_a', (a) => adapter.ids(a), { atLeast: '1_notes' })).toEqual([]);
        expect(await codesIn(adapter.run('org_a', (a) => adapter.add(a, 1), { readOnly: true }))).toContain(
          '25006',
        );
      }));

    test('an error rolls back, and is the caller’s', () =>
      using(1, async (adapter) => {
        const error = new Error('no');
        const failing = adapter.run('org_a', async (a) => {
          await adapter.add(a, 1);
          throw error;
        });
        await expect(failing).rejects.toBe(error);
        expect(await codesIn(adapter.run('org_a', (a) => adapter.sql(a, 'SELECT 1/0')))).toContain('22012');
        expect(await adapter.run('org_a', (a) => adapter.ids(a))).toEqual([]);
      }));

    test.for(['COMMIT', 'rollback;', 'LISTEN news', 'PREPARE s AS SELECT 1', 'SELECT pg_advisory_lock(7)'])(
      'refuses %s, and sends nothing',
      (text) =>
        using(1, async (adapter) => {
          const before = await adapter.sql(adapter.outside, SESSION);
          await adapter.run('org_a', async (a) => {
            await adapter.add(a, 1);
            expect(await codesIn(adapter.sql(a, text))).toContain('SESSION_STATE');
            expect(await adapter.ids(a)).toEqual([1]);
          });
          const two = adapter.run('org_a', (a) => adapter.sql(a, 'DELETE FROM notes; COMMIT'));
          expect(await codesIn(two)).toContain('42601');
          expect(await adapter.run('org_a', (a) => adapter.ids(a))).toEqual([1]);
          expect(await adapter.sql(adapter.outside, SESSION)).toEqual(before);
        }),
    );

    test('joins itself, refuses another tenant within, and says whose work it is', () =>
      using(2, async (adapter) => {
        await adapter.run('org_a', async (a) => {
          await adapter.add(a, 1);
          expect(await adapter.run('org_a', (again) => adapter.ids(again))).toEqual([1]);
          expect(await codes(adapter.run('org_b', (b) => adapter.ids(b)))).toBe('OTHER_TENANT');
          expect(adapter.current()).toMatchObject({ clerkOrgId: 'org_a', schema: schemaNameFor('org_a') });
        });
        expect(adapter.current()).toBeUndefined();
        const stale = adapter.run({ clerkOrgId: 'org_a', schema: 'tid_old' }, (a) => adapter.ids(a));
        expect(await codes(stale)).toBe('TENANT_CHANGED');
      }));

    test('many calls at once, some of which fail, never meet', () =>
      using(3, async (adapter) => {
        const orgs = ['org_a', 'org_b'];
        const calls = Array.from({ length: 60 }, async (_, nth) => {
          const seen = await adapter.run(orgs[nth % 2] ?? '', async (handle) => {
            await adapter.add(handle, nth);
            if (nth % 5 === 0) throw new Error('no');
            return adapter.ids(handle);
          });
          expect(seen.filter((id) => id % 2 !== nth % 2 || id < 0)).toEqual([]);
        });
        const ended = await Promise.allSettled(calls);
        const errors = ended.flatMap((end) => (end.status === 'rejected' ? [String(end.reason)] : []));
        expect(errors).toEqual(Array.from({ length: 12 }, () => 'Error: no'));
        for (const [rest, org] of orgs.entries())
          expect(await adapter.run(org, (handle) => adapter.ids(handle))).toEqual(
            Array.from({ length: 60 }, (_, nth) => nth).filter((nth) => nth % 2 === rest && nth % 5 !== 0),
          );
      }));

    test('a signal ends a statement, and a connection that breaks is replaced', () =>
      using(1, async (adapter) => {
        const stopped = adapter.run('org_a', (a) => adapter.sql(a, 'SELECT pg_sleep(60)'), {
          signal: AbortSignal.timeout(300),
        });
        await expect(stopped).rejects.toThrow(/timeout/);
        const broken = adapter.run('org_a', (a) =>
          adapter.sql(a, 'SELECT pg_terminate_backend(pg_backend_pid())'),
        );
        await expect(broken).rejects.toThrow(/terminat/);
        expect(await adapter.run('org_b', (b) => adapter.ids(b))).toEqual([]);
        expect(await adapter.ids(adapter.outside)).toEqual([-1]);
      }));

    test('a savepoint that fails takes back its part, and the tenant stays', () =>
      using(1, async (adapter) => {
        await adapter.run('org_b', async (b) => {
          await adapter.add(b, 1);
          const failing = adapter.inSavepoint(b, async (inner) => {
            await adapter.sql(inner, 'SET LOCAL search_path TO public');
            await adapter.sql(inner, 'INSERT INTO notes VALUES (-1)');
          });
          expect(await codesIn(failing)).toContain('23505');
          await adapter.inSavepoint(b, (inner) => adapter.add(inner, 2));
          expect(await adapter.ids(b)).toEqual([1, 2]);
        });
        expect(await adapter.run('org_b', (b) => adapter.ids(b))).toEqual([1, 2]);
      }));
  });
  return { fleet };
}
