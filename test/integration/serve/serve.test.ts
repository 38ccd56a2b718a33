import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { silent, type RunEvent } from '../../../src/core/report/event.ts';
import { createLanes } from '../../../src/core/run/lanes.ts';
import { createRunContext, type RunOptions } from '../../../src/core/run/run-context.ts';
import { serve } from '../../../src/core/serve/serve.ts';
import type { Outcome, Task, Work } from '../../../src/core/serve/work.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { createDatabase } from '../../support/database.ts';

type Numbered = Task & { readonly tenant: { readonly clerkOrgId: string; readonly schema: string } };

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const TASKS: Numbered[] = NAMES.map((name) => ({ tenant: { clerkOrgId: `org_${name}`, schema: name } }));

/** Serves the tasks with work that is no migration, on two lanes. */
async function serveTasks<Done>(
  work: Pick<Work<Numbered, Done>, 'attempt'> & Partial<Work<Numbered, Done>>,
  options: RunOptions = {},
) {
  const testDatabase = await createDatabase();
  const database = await testDatabase.open(4);
  const context = createRunContext(database, options);
  const events: RunEvent[] = [];
  const ended: string[] = [];
  const served = await serve<Numbered, Done>(context, TASKS, {
    lanes: await createLanes(database, 2, silent),
    observe: (event) => events.push(event),
    onEnd: ({ task }) => ended.push(task.tenant.schema),
    ...work,
  });
  const kinds = new Map(served.outcomes.map((outcome) => [outcome.task.tenant.schema, outcome]));
  return { ...served, kinds, ended, events, database };
}

function kindsOf(outcomes: ReadonlyMap<string, Outcome<Numbered, unknown>>): string {
  return NAMES.map((name) => outcomes.get(name)?.kind).join(' ');
}

const passing = (message: string) => new TenantctlError('DATABASE_ERROR', message, { sqlstate: '40001' });

test('tasks run side by side, as many as there are lanes, and those that are alone one at a time', async () => {
  const at = { work: 0, most: 0, alone: 0, mostAlone: 0 };
  const isAlone = ({ tenant }: Numbered) => tenant.schema > 'd';
  const { kinds, ended } = await serveTasks({
    isAlone,
    async attempt(task) {
      at.most = Math.max(at.most, (at.work += 1));
      if (isAlone(task)) at.mostAlone = Math.max(at.mostAlone, (at.alone += 1));
      await sleep(5);
      at.work -= 1;
      if (isAlone(task)) at.alone -= 1;
      return { kind: 'done', done: task.tenant.schema };
    },
  });
  expect(at).toMatchObject({ most: 2, mostAlone: 1 });
  expect(kindsOf(kinds)).toBe(NAMES.map(() => 'done').join(' '));
  expect(ended.toSorted()).toEqual(NAMES);
});

test('an error that may pass is met again after the other tasks, until the retries are used up; others are final', async () => {
  const tries = new Map<string, number>();
  const { kinds, ended } = await serveTasks(
    {
      attempt({ tenant: { schema } }, earlier) {
        expect(earlier.tries).toBe(tries.get(schema) ?? 0);
        tries.set(schema, earlier.tries + 1);
        const failed = (problem: TenantctlError, mayRepeat = true) =>
          Promise.resolve({ kind: 'failed', error: problem, mayRepeat, done: [schema] } as const);
        if (schema === 'a' && earlier.tries < 2) return failed(passing('not now'));
        if (schema === 'b') return failed(passing('never'));
        if (schema === 'c') return failed(new TenantctlError('DATABASE_ERROR', 'no', { sqlstate: '42P01' }));
        if (schema === 'd') return failed(passing('not twice'), false);
        return Promise.resolve({ kind: 'done', done: earlier.failure?.done ?? [] });
      },
    },
    { retries: 2 },
  );
  expect(kindsOf(kinds)).toBe('done failed failed failed done done done done');
  expect([tries.get('a'), tries.get('b'), tries.get('c'), tries.get('d')]).toEqual([3, 3, 1, 1]);
  expect(kinds.get('a')).toMatchObject({ done: ['a'] });
  expect(kinds.get('b')).toMatchObject({ error: { message: 'never' }, done: ['b'] });
  expect(ended.slice(-2).toSorted()).toEqual(['a', 'b']);
});

test('after a connection that was lost, an attempt knows that an earlier one may have been committed', async () => {
  const seen: boolean[] = [];
  const { kinds } = await serveTasks({
    async attempt({ tenant: { schema } }, { tries, mayBeCommitted }) {
      if (schema !== 'a') return { kind: 'done', done: undefined };
      seen.push(mayBeCommitted);
      if (tries === 2) return { kind: 'done', done: undefined };
      const error = tries === 0 ? passing('x') : new TenantctlError('DATABASE_ERROR', 'lost');
      return { kind: 'failed', error, mayRepeat: true };
    },
  });
  expect(seen).toEqual([false, false, true]);
  expect(kinds.get('a')?.kind).toBe('done');
});

test('a tenant that another run holds is looked at until it is free or done, or the wait is over', async () => {
  let looks = 0;
  const { kinds, isShared, events } = await serveTasks(
    {
      attempt: ({ tenant: { schema } }) =>
        Promise.resolve(
          schema > 'c' || (schema === 'a' && looks > 1) ? { kind: 'done', done: schema } : { kind: 'busy' },
        ),
      look(tasks) {
        looks += 1;
        const isDone = ({ tenant }: Numbered) => tenant.schema === 'b' && looks > 2;
        return Promise.resolve({
          done: tasks.filter(isDone),
          locked: tasks.filter(({ tenant }) => tenant.schema === 'c'),
          free: tasks.filter((task) => task.tenant.schema !== 'c' && !isDone(task)),
        });
      },
    },
    { lockWaitMs: 300 },
  );
  expect(kindsOf(kinds)).toBe('done by-peer failed done done done done done');
  expect(kinds.get('c')).toMatchObject({ error: { code: 'LOCK_TIMEOUT', tenant: 'org_c' } });
  expect(isShared).toBe(true);
  const notes = events.filter(({ type }) => type === 'note');
  expect(notes).toHaveLength(1);
});

test('a run that is stopped begins nothing more, and says so of the tasks that are left', async () => {
  const stop = new AbortController();
  const begun: string[] = [];
  const { kinds, ended } = await serveTasks(
    {
      async attempt({ tenant: { schema } }) {
        begun.push(schema);
        await sleep(5);
        if (schema === 'b') stop.abort();
        if (schema === 'a') return { kind: 'failed', error: passing('not now'), mayRepeat: true };
        return { kind: 'done', done: schema };
      },
    },
    { signal: stop.signal, retries: 5 },
  );
  const left = NAMES.filter((name) => !begun.includes(name));
  expect(left.length).toBeGreaterThanOrEqual(4);
  expect(left.map((name) => kinds.get(name))).toMatchObject(
    left.map(() => ({ kind: 'skipped', reason: 'the run was interrupted' })),
  );
  expect(kinds.get('a')).toMatchObject({ kind: 'failed', error: { message: 'not now' } });
  expect(ended.toSorted()).toEqual(begun.toSorted());
});
