import { expect, test } from 'vitest';
import { createSharedQueue } from '../../../src/core/serve/shared-queue.ts';
import type { Task } from '../../../src/core/serve/work.ts';

/** A generator of numbers from 0 to 1 that begins anew with each seed (Park and Miller's). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

function fleetOf(count: number): Task[] {
  return Array.from({ length: count }, (_, nth) => ({ tenant: { schema: `t${nth}` } }));
}

/** What all runs have done, and what each is at work on. */
interface World {
  readonly done: Set<string>;
  readonly held: Map<string, number>;
}

/** A run of its own over the same fleet. */
function createRun(tasks: readonly Task[], world: World, seed: number) {
  const counts = { own: 0, others: 0, looks: 0, met: 0 };
  const busy: Task[] = [];
  const schemaOf = ({ tenant }: Task) => tenant.schema;
  const queue = createSharedQueue(tasks, {
    look(some) {
      counts.looks += 1;
      return Promise.resolve({
        done: some.filter((task) => world.done.has(schemaOf(task))),
        locked: some.filter((task) => !world.done.has(schemaOf(task)) && world.held.has(schemaOf(task))),
        free: some.filter((task) => !world.done.has(schemaOf(task)) && !world.held.has(schemaOf(task))),
      });
    },
    onDone: (done) => (counts.others += done.length),
    onLocked: (locked) => busy.push(...locked),
    random: seeded(seed),
  });
  /** Takes a tenant, and lets go of the one that it had. @returns false where none is left */
  let at: string | undefined;
  const step = async (): Promise<boolean> => {
    if (at !== undefined) {
      world.held.delete(at);
      world.done.add(at);
      at = undefined;
    }
    const task = (await queue.fill()) ? queue.ready.shift() : undefined;
    if (task === undefined) return false;
    const schema = schemaOf(task);
    if (world.done.has(schema)) counts.others += 1;
    else if (world.held.has(schema)) busy.push(task);
    else {
      counts.own += 1;
      world.held.set(schema, seed);
      at = schema;
      return true;
    }
    counts.met += 1;
    queue.met(task);
    return true;
  };
  return { step, counts, busy, queue };
}

test('a run that is alone goes through the fleet in its order, and looks at nobody', async () => {
  const tasks = fleetOf(100);
  const { step, counts, queue } = createRun(tasks, { done: new Set(), held: new Map() }, 1);
  expect(queue.ready.map(({ tenant }) => tenant.schema)).toEqual(tasks.map(({ tenant }) => tenant.schema));
  while (await step());
  expect(counts).toEqual({ own: 100, others: 0, looks: 0, met: 0 });
});

test.each([2, 4, 8])('%i runs at once each do their part, and seldom meet', async (count) => {
  const world: World = { done: new Set(), held: new Map() };
  const tasks = fleetOf(2_000);
  const runs = Array.from({ length: count }, (_, nth) => createRun(tasks, world, nth + 1));
  let working = [...runs];
  while (working.length > 0) {
    const goOn = await Promise.all(working.map(({ step }) => step()));
    working = working.filter((_, nth) => goOn[nth]);
  }
  expect(world.done.size).toBe(2_000);
  expect(runs.reduce((sum, { counts }) => sum + counts.own, 0)).toBe(2_000);
  for (const { counts, busy } of runs) {
    expect(counts.own + counts.others + busy.length).toBe(2_000);
    // A fair part, as they all are as fast.
    expect(counts.own).toBeGreaterThan((0.7 * 2_000) / count);
    expect(counts.met).toBeLessThan(60);
    expect(counts.looks).toBeLessThan(200);
  }
});

test('a run that comes upon what a dead one has left does it', async () => {
  const world: World = { done: new Set(), held: new Map() };
  const tasks = fleetOf(200);
  const dead = createRun(tasks, world, 1);
  for (let steps = 0; steps < 50; steps += 1) await dead.step();
  // Its last lock has gone with it.
  world.held.clear();
  const { step, counts, busy } = createRun(tasks, world, 2);
  while (await step());
  expect(world.done.size).toBe(200);
  expect(counts).toMatchObject({ own: 151, others: 49 });
  expect(busy).toEqual([]);
});

test('what nobody has come to is given back', () => {
  const world: World = { done: new Set(), held: new Map() };
  const { queue } = createRun(fleetOf(40), world, 1);
  queue.met(queue.ready[0] as Task);
  expect(queue.ready).toHaveLength(0);
  expect(queue.size).toBe(40);
  expect(queue.clear()).toHaveLength(40);
  expect(queue.size).toBe(0);
});
