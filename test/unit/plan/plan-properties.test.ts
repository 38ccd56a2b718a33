import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { History, HistoryEntry } from '../../../src/core/target/history.ts';
import {
  lastBatch,
  planBackward,
  planForward,
  type BackwardExtent,
  type Plan,
} from '../../../src/core/plan/plan.ts';
import { stemOf, type MigrationFolder } from '../../../src/core/files/source.ts';

const EXTENSIONS = ['.sql', '.ts', '.js'];
/** Few names, so that histories and folders meet in every way. */
const stem = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h');
const file = fc.tuple(stem, fc.constantFrom(...EXTENSIONS)).map((parts) => parts.join(''));
const named = fc.uniqueArray(file, { selector: stemOf, maxLength: 8 });

const folder = named.map((names): MigrationFolder => ({
  directory: 'm',
  files: names
    .toSorted()
    .map((name) => ({ name, stem: stemOf(name), path: `m/${name}`, format: 'sql' as const })),
}));

/** Any order, any batches that grow, files that no folder has; with `twice`, also a migration that stands there twice. */
const historyOf = (names: readonly string[], steps: readonly number[]): History => {
  let batch = 1;
  const entries = names.map((name, at) => ({ name, batch: (batch += steps[at] ?? 0) }));
  return { entries, lockedByKnex: false };
};
const batches = fc.array(fc.nat(2), { minLength: 10, maxLength: 10 });
const history = fc.tuple(named, batches).map(([names, steps]) => historyOf(names, steps));
const anyHistory = fc
  .tuple(fc.array(file, { maxLength: 8 }), batches)
  .map(([names, steps]) => historyOf(names, steps));

const flags = fc.record({ allowNewerHistory: fc.boolean(), allowOutOfOrder: fc.boolean() });
const to = fc.option(fc.nat(7), { nil: undefined });

const stemsOf = (entries: readonly { readonly name: string }[]) => entries.map(({ name }) => stemOf(name));
const apply = (before: History, { steps, batch }: Plan): History => ({
  ...before,
  entries: [...before.entries, ...steps.map(({ name }) => ({ name, batch }))],
});
const revert = (before: History, { steps }: Plan): History => {
  const names = new Set(steps.map(({ name }) => name));
  return { ...before, entries: before.entries.filter(({ name }) => !names.has(name)) };
};

test('forward names a problem exactly where history and folder do not fit, and plans nothing then', () => {
  fc.assert(
    fc.property(folder, anyHistory, flags, (folder, history, options) => {
      const plan = planForward(folder, history, options);
      const has = new Set(folder.files.map((each) => each.stem));
      const applied = new Set(stemsOf(history.entries));
      const newest = folder.files.at(-1)?.stem;
      const unknown = [...applied].filter((each) => !has.has(each));
      const areNewer = newest !== undefined && unknown.every((each) => each > newest);
      const last = folder.files.findLast((each) => applied.has(each.stem))?.stem ?? '';
      const late = folder.files.filter((each) => !applied.has(each.stem) && each.stem < last);
      const isMissing = unknown.length > 0 && !(areNewer && options.allowNewerHistory);
      const isLate = late.length > 0 && !options.allowOutOfOrder;

      const isRefused = plan.problem !== undefined;
      expect(isRefused).toBe(isMissing || isLate);
      expect(isRefused && (plan.steps.length > 0 || plan.batch !== 0)).toBe(false);
    }),
    { numRuns: 2_000 },
  );
});

test('forward applies nothing twice, in order, and leads to the folder; then nothing is left', () => {
  fc.assert(
    fc.property(folder, anyHistory, flags, to, (folder, history, options, end) => {
      const last = end === undefined ? undefined : folder.files[end];
      const plan = planForward(folder, history, { ...options, to: last });
      fc.pre(plan.problem === undefined);
      const done = stemsOf(plan.steps);

      expect(done).toEqual(done.toSorted());
      expect(new Set([...stemsOf(history.entries), ...done]).size).toBe(
        new Set(stemsOf(history.entries)).size + done.length,
      );
      expect(plan.batch).toBe(done.length === 0 ? 0 : lastBatch(history) + 1);
      const after = apply(history, plan);
      const until = folder.files.filter((each) => last === undefined || each.stem <= last.stem);
      expect(until.filter((each) => !stemsOf(after.entries).includes(each.stem))).toEqual([]);
      expect(planForward(folder, after, { ...options, to: last })).toMatchObject({ steps: [], batch: 0 });
    }),
    { numRuns: 2_000 },
  );
});

test('a rollback of what was just migrated leads back to where it began', () => {
  fc.assert(
    fc.property(folder, history, flags, to, (folder, history, options, end) => {
      const plan = planForward(folder, history, {
        ...options,
        to: end === undefined ? undefined : folder.files[end],
      });
      fc.pre(plan.steps.length > 0);
      const after = apply(history, plan);
      const back = planBackward(folder, after, { kind: 'last-batch' });

      expect(back.problem).toBeUndefined();
      expect(back.steps).toEqual(plan.steps.toReversed());
      expect(revert(after, back)).toEqual(history);
    }),
    { numRuns: 2_000 },
  );
});

const extentIn = (folder: MigrationFolder, history: History, choice: number, at: number): BackwardExtent => {
  const target = folder.files[at % Math.max(1, folder.files.length)];
  if (choice === 0) return { kind: 'last-batch' };
  if (choice === 1 || target === undefined) return { kind: 'all' };
  if (choice === 2) return { kind: 'to', to: target };
  const appliers = history.entries.map(
    ({ name, batch }) => [JSON.stringify([name, batch]), batch % 3] as const,
  );
  return { kind: 'run', of: { run: 1, appliers: new Map(appliers) } };
};

/** What an extent means, said the simple way. */
function meant(history: History, extent: BackwardExtent): readonly HistoryEntry[] {
  const { entries } = history;
  switch (extent.kind) {
    case 'all':
      return entries;
    case 'last-batch':
      return entries.filter(({ batch }) => batch === Math.max(...entries.map((each) => each.batch)));
    case 'run':
      return entries.filter(({ batch }) => batch % 3 === 1);
    case 'to': {
      const from = stemsOf(entries).indexOf(extent.to.stem);
      return from === -1 ? [] : entries.slice(from);
    }
  }
}

test('back undoes what was meant, newest first and each once, or names what keeps it from that', () => {
  fc.assert(
    fc.property(folder, anyHistory, fc.nat(3), fc.nat(7), (folder, history, choice, at) => {
      const extent = extentIn(folder, history, choice, at);
      const plan = planBackward(folder, history, extent);
      const wanted = meant(history, extent);
      const has = new Set(folder.files.map((each) => each.stem));
      const isWhole = wanted.every(({ name }) => has.has(stemOf(name)));
      const isTwice = new Set(stemsOf(wanted)).size < wanted.length;
      const first = history.entries.findIndex((entry) => wanted.includes(entry));
      const isSuperseded =
        extent.kind === 'run' && wanted.length > 0 && history.entries.length - first > wanted.length;

      expect(plan.problem !== undefined).toBe(!isWhole || isTwice || isSuperseded);
      const undone = plan.problem === undefined ? wanted.map(({ name }) => name).toReversed() : [];
      expect(plan.steps.map(({ name }) => name)).toEqual(undone);
      expect(plan.steps.map((step) => step.file.stem)).toEqual(undone.map(stemOf));
    }),
    { numRuns: 3_000 },
  );
});
