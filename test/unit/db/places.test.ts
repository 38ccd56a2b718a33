import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPlaces, type Places, type Purpose } from '../../../src/db/connection-queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Takes a place and notes when it was had. */
function asking(places: Places, purpose: Purpose, name: string, had: string[]): Promise<() => void> {
  return places.take(purpose).then((leave) => {
    had.push(name);
    return leave;
  });
}

test('who comes first is served first', async () => {
  const places = createPlaces(4, 1_000);
  const had: string[] = [];
  const first = await asking(places, 'work', 'a', had);
  const second = await asking(places, 'work', 'b', had);
  const rest = ['c', 'd', 'e'].map((name) => asking(places, 'work', name, had));
  second();
  (await rest[0])?.();
  first();
  await Promise.all(rest.slice(1));
  expect(had).toEqual(['a', 'b', 'c', 'd', 'e']);
});

test('whatever is at work, a second connection, a statement and the lease have a place', async () => {
  const places = createPlaces(5, 1_000);
  expect(places.width).toBe(3);
  await Promise.all([places.take('work'), places.take('work'), places.take('work')]);
  const fourth = places.take('work').catch((error: unknown) => error);
  const leave = await places.take('aside');
  leave();
  await places.take('query');
  await places.take('lease');
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await fourth).toMatchObject({
    code: 'POOL_EXHAUSTED',
    message: expect.stringContaining('All 5 connections of this pool were in use for 1 s') as string,
  });
});

test('a place that is given back twice is one place', async () => {
  const places = createPlaces(1, 1_000);
  const leave = await places.take('work');
  leave();
  leave();
  await places.take('work');
  const second = places.take('work').catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await second).toMatchObject({ code: 'POOL_EXHAUSTED' });
});

test('who has given up waiting takes no place from others', async () => {
  const places = createPlaces(1, 1_000);
  const leave = await places.take('work');
  const tired = places.take('work').catch(() => 'tired');
  await vi.advanceTimersByTimeAsync(600);
  const patient = places.take('work').then(() => 'served');
  await vi.advanceTimersByTimeAsync(600);
  leave();
  expect(await Promise.all([tired, patient])).toEqual(['tired', 'served']);
});

test('closing ends every wait, and lets nobody in', async () => {
  const places = createPlaces(1, 1_000);
  const leave = await places.take('work');
  const waiting = places.take('query').catch((error: unknown) => error);
  const reason = new Error('closed');
  places.close(reason);
  leave();
  expect(await waiting).toBe(reason);
  await expect(places.take('work')).rejects.toBe(reason);
});
