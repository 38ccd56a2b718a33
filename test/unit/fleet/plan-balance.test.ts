import { describe, expect, test } from 'vitest';
import { planBalance, type BalanceNode, type BalanceRules } from '../../../src/core/fleet/plan-balance.ts';

const RULES: BalanceRules = { by: 'size', threshold: 10 };

/** A node with tenants of these sizes, in bytes. */
function node(name: string, sizes: readonly (number | null)[], more: Partial<BalanceNode> = {}): BalanceNode {
  const tenants = sizes.map((bytes, at) => ({
    clerkOrgId: `org_${name}${at}`,
    schema: `tid_${name}${at}`,
    bytes,
  }));
  return { name, isActive: true, takesTenants: true, tenants, ...more };
}

function movesOf(nodes: readonly BalanceNode[], rules: Partial<BalanceRules> = {}): string[] {
  return planBalance(nodes, { ...RULES, ...rules }).moves.map(
    ({ schema, from, to }) => `${schema} ${from} -> ${to}`,
  );
}

test('the tenant nearest to half the difference moves from the fullest node to the emptiest', () => {
  expect(movesOf([node('a', [60, 30, 10]), node('b', [])])).toEqual(['tid_a0 a -> b']);
  expect(movesOf([node('a', [50, 40, 10]), node('b', []), node('c', [30])])).toEqual([
    'tid_a0 a -> b',
    'tid_a2 a -> c',
  ]);
});

test('nodes within the threshold are left alone, also if a move would help', () => {
  expect(movesOf([node('a', [50, 5]), node('b', [45])], { threshold: 10 })).toEqual([]);
  expect(movesOf([node('a', [50, 5]), node('b', [45])], { threshold: 0 })).toEqual(['tid_a1 a -> b']);
});

test('a tenant that is most of its node is not sent back and forth', () => {
  expect(movesOf([node('a', [1000]), node('b', [])])).toEqual([]);
  expect(movesOf([node('a', [1000, 400, 10]), node('b', [])])).toEqual(['tid_a1 a -> b', 'tid_a2 a -> b']);
});

test('small tenants do not move away from beside a large one that has to stay, unless they are much together', () => {
  expect(movesOf([node('a', [1000, 10, 10]), node('b', [100])])).toEqual([]);
  const many = Array.from({ length: 40 }, () => 10);
  expect(movesOf([node('a', [1000, ...many]), node('b', [])])).toHaveLength(40);
  expect(movesOf([node('a', [1000]), node('b', [60, 60]), node('c', [])])).toEqual(['tid_b0 b -> c']);
});

test('by tenants, the smallest move, and sizes may be unknown', () => {
  expect(movesOf([node('a', [null, null, 9000, 1]), node('b', [])], { by: 'tenants' })).toEqual([
    'tid_a3 a -> b',
    'tid_a2 a -> b',
  ]);
  expect(() => movesOf([node('a', [null, 1]), node('b', [])])).toThrow(/^The node a could not be asked/);
});

test('what is on a node that takes none moves away, the largest first, each to the node with the least', () => {
  const nodes = [node('a', [5, 40, 30], { takesTenants: false }), node('b', [9]), node('c', [])];
  expect(movesOf(nodes)).toEqual(['tid_a1 a -> c', 'tid_a2 a -> b', 'tid_a0 a -> b']);
});

test('draining empties one node, and does nothing else', () => {
  const nodes = [node('a', [7]), node('b', [900, 100, 100]), node('c', [])];
  expect(movesOf(nodes, { drain: 'a' })).toEqual(['tid_a0 a -> c']);
  expect(() => movesOf([node('a', [7])], { drain: 'a' })).toThrow('No other node takes tenants.');
  expect(movesOf([node('a', [])], { drain: 'a' })).toEqual([]);
});

test('nothing moves to or from a node that is not active, and fixed tenants only count', () => {
  expect(movesOf([node('a', [60, 30]), node('b', [], { isActive: false })])).toEqual([]);
  expect(movesOf([node('a', [60, 30], { isActive: false }), node('b', [])])).toEqual([]);
  const a = node('a', [60, 30]);
  const fixed = a.tenants.map((tenant) => ({ ...tenant, isFixed: tenant.bytes === 30 }));
  expect(movesOf([{ ...a, tenants: fixed }, node('b', [])])).toEqual(['tid_a0 a -> b']);
});

describe('of a large fleet', () => {
  const sizes = Array.from({ length: 500 }, (_, at) => 1 + ((at * 7919) % 1000));
  const nodes = [node('a', sizes), node('b', sizes.slice(0, 20)), node('c', []), node('d', [])];

  test('all nodes are within the threshold in the end, and no tenant moves twice', () => {
    const { moves, left } = planBalance(nodes, RULES);
    const load = new Map(
      nodes.map(({ name, tenants }) => [name, tenants.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0)]),
    );
    for (const { from, to, bytes } of moves) {
      load.set(from, (load.get(from) ?? 0) - (bytes ?? 0));
      load.set(to, (load.get(to) ?? 0) + (bytes ?? 0));
    }
    const average = [...load.values()].reduce((sum, each) => sum + each, 0) / 4;
    for (const each of load.values()) expect(Math.abs(each - average)).toBeLessThanOrEqual(average / 10);
    expect(new Set(moves.map(({ schema }) => schema)).size).toBe(moves.length);
    expect(left).toBe(0);
  });

  test('the order of the facts does not matter, and a limit gives the first of the same moves', () => {
    const { moves } = planBalance(nodes, RULES);
    const turned = nodes.map((each) => ({ ...each, tenants: each.tenants.toReversed() })).toReversed();
    expect(planBalance(turned, RULES).moves).toEqual(moves);
    expect(planBalance(nodes, { ...RULES, maxMoves: 3 })).toEqual({
      moves: moves.slice(0, 3),
      left: moves.length - 3,
    });
  });
});
