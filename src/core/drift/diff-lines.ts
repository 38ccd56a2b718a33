import { diff } from 'node:util';

/** 1 marks what only the first text has, -1 what only the second has (https://nodejs.org/api/util.html#utildiffactual-expected). */
export type Line = readonly [-1 | 0 | 1, string];

/** Lines that Node compares at once: its time and memory grow with the square of what is different. */
const MOST = 2_000;

/**
 * What lines were removed and added, in order. Lines that occur once in each text divide both into parts (a "patience
 * diff"), so that thousands of tables that only one of them has cost little. A large part without such a line is
 * removed and added as a whole. Pure.
 */
export function diffLines(from: readonly string[], to: readonly string[]): Line[] {
  const lines: Line[] = [];
  let [a, b] = [0, 0];
  const anchors = anchorsOf(from, to);
  const compare = anchors.length === 0 ? diffPart : diffLines;
  for (const [atFrom, atTo] of [...anchors, [from.length, to.length] as const]) {
    for (const line of compare(from.slice(a, atFrom), to.slice(b, atTo))) lines.push(line);
    const anchor = from[atFrom];
    if (anchor !== undefined) lines.push([0, anchor]);
    [a, b] = [atFrom + 1, atTo + 1];
  }
  return lines;
}

function diffPart(from: readonly string[], to: readonly string[]): Line[] {
  const isLarge = from.length + to.length > MOST;
  if (from.length > 0 && to.length > 0 && !isLarge) return diff(from, to);
  return [...from.map((line): Line => [1, line]), ...to.map((line): Line => [-1, line])];
}

type Anchor = readonly [atFrom: number, atTo: number];

/** The longest run of lines that occur once in each text and stand in the same order in both. */
function anchorsOf(from: readonly string[], to: readonly string[]): Anchor[] {
  const inFrom = uniqueOf(from);
  const common = [...uniqueOf(to)].flatMap(([line, atTo]): Anchor[] => {
    const atFrom = inFrom.get(line);
    return atFrom === undefined ? [] : [[atFrom, atTo]];
  });
  // heads[n] is the anchor, by its place in `ends`, with which a run of n + 1 anchors can end first.
  const ends: { readonly anchor: Anchor; readonly before: number | undefined }[] = [];
  const heads: number[] = [];
  for (const anchor of common) {
    let [low, high] = [0, heads.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ends[heads[middle] ?? 0]?.anchor[0] ?? 0) < anchor[0]) low = middle + 1;
      else high = middle;
    }
    heads[low] = ends.push({ anchor, before: heads[low - 1] }) - 1;
  }
  const run: Anchor[] = [];
  for (let at = heads.at(-1); at !== undefined; at = ends[at]?.before) {
    const end = ends[at];
    if (end !== undefined) run.push(end.anchor);
  }
  return run.toReversed();
}

/** Where the lines are that occur once, in order. */
function uniqueOf(lines: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  const repeated = new Set<string>();
  for (const [at, line] of lines.entries()) {
    if (places.has(line)) repeated.add(line);
    places.set(line, at);
  }
  for (const line of repeated) places.delete(line);
  return places;
}
