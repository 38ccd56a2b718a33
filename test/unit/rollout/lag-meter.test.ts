import { expect, test } from 'vitest';
import { createLagMeter, type Standby } from '../../../src/core/rollout/standbys.ts';

const upTo = (replayed: number | null, more: Partial<Standby> = {}): Standby => ({
  name: 'one',
  isStreaming: true,
  replayed,
  replayLagMs: null,
  ...more,
});

test('without standbys there is no lag', () => {
  expect(createLagMeter()({ written: 100, standbys: [] }, 0)).toBeUndefined();
});

test('who has replayed all is not behind, whatever was measured last', () => {
  const measure = createLagMeter();
  expect(measure({ written: 100, standbys: [upTo(100, { replayLagMs: 9000 })] }, 0)?.ms).toBe(0);
});

test('who stands still is behind since the log first was further than that', () => {
  const measure = createLagMeter();
  measure({ written: 100, standbys: [upTo(100)] }, 0);
  expect(measure({ written: 150, standbys: [upTo(100)] }, 1000)?.ms).toBe(0);
  expect(measure({ written: 150, standbys: [upTo(100)] }, 1600)?.ms).toBe(600);
  expect(measure({ written: 180, standbys: [upTo(120)] }, 2000)?.ms).toBe(1000);
  expect(measure({ written: 180, standbys: [upTo(160)] }, 2400)?.ms).toBe(400);
  expect(measure({ written: 180, standbys: [upTo(180)] }, 2500)?.ms).toBe(0);
});

test('what the server has measured counts where it is more', () => {
  const measure = createLagMeter();
  expect(measure({ written: 100, standbys: [upTo(50, { replayLagMs: 7000 })] }, 0)?.ms).toBe(7000);
});

test('the one that is furthest behind is named, and one that is still being brought is behind without end', () => {
  const measure = createLagMeter();
  const standbys = [upTo(90, { name: 'near', replayLagMs: 10 }), upTo(50, { name: 'far', replayLagMs: 20 })];
  expect(measure({ written: 100, standbys }, 0)).toEqual({ standby: 'far', ms: 20 });
  const newcomer = upTo(null, { name: 'new', isStreaming: false });
  expect(measure({ written: 100, standbys: [...standbys, newcomer] }, 10)).toEqual({
    standby: 'new',
    ms: Infinity,
  });
});
