import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { History } from '../../../src/core/target/history.ts';
import { TenantctlError } from '../../../src/errors.ts';
import { lastBatch, planBackward, planForward, planner } from '../../../src/core/plan/plan.ts';
import { stemOf, type MigrationFolder } from '../../../src/core/files/source.ts';

function folderOf(...names: string[]): MigrationFolder {
  return {
    directory: 'm',
    files: names.map((name) => ({ name, stem: stemOf(name), path: `m/${name}`, format: 'sql' })),
  };
}

function historyOf(...entries: (readonly [string, number])[]): History {
  return { entries: entries.map(([name, batch]) => ({ name, batch })), lockedByKnex: false };
}

const namesOf = (plan: { steps: readonly { name: string }[] }) => plan.steps.map((step) => step.name);
const fileOf = (folder: MigrationFolder, index: number) => {
  const file = folder.files[index];
  if (file === undefined) throw new Error('no such file');
  return file;
};

test('what history lacks is pending, and forms the next batch', () => {
  const plan = planForward(folderOf('1.sql', '2.sql', '3.sql'), historyOf(['1.sql', 4]));
  expect(namesOf(plan)).toEqual(['2.sql', '3.sql']);
  expect(plan.batch).toBe(5);
});

test('where nothing is pending there is no batch', () => {
  expect(planForward(folderOf('1.sql'), historyOf(['1.sql', 1]))).toMatchObject({ steps: [], batch: 0 });
});

test('a .js that became .ts is the same migration', () => {
  expect(planForward(folderOf('1.ts'), historyOf(['1.js', 1])).steps).toEqual([]);
  expect(namesOf(planBackward(folderOf('1.ts'), historyOf(['1.js', 1]), { kind: 'all' }))).toEqual(['1.js']);
});

test('--to is inclusive; a migration that is applied already leaves nothing to do', () => {
  const folder = folderOf('1.sql', '2.sql', '3.sql');
  expect(namesOf(planForward(folder, historyOf(), { to: fileOf(folder, 1) }))).toEqual(['1.sql', '2.sql']);
  expect(planForward(folder, historyOf(['1.sql', 1]), { to: fileOf(folder, 0) }).steps).toEqual([]);
});

test('a file that history has and the folder lacks is a problem, and no flag allows it', () => {
  const plan = planForward(folderOf('1.sql', '3.sql'), historyOf(['1.sql', 1], ['2.sql', 1]), {
    allowNewerHistory: true,
    allowOutOfOrder: true,
  });
  expect(plan.problem).toMatchObject({ code: 'MIGRATION_FILE_MISSING', migration: '2' });
  expect(plan.steps).toEqual([]);
});

test('a history newer than every file is an error with its flag, and a warning with the flag', () => {
  const [folder, history] = [folderOf('1.sql'), historyOf(['1.sql', 1], ['2.sql', 2])];
  const { problem } = planForward(folder, history);
  expect(problem).toMatchObject({ code: 'HISTORY_NEWER' });
  expect(problem?.hint).toContain('--allow-newer-history');
  const allowed = planForward(folder, history, { allowNewerHistory: true });
  expect(allowed.problem).toBeUndefined();
  expect(allowed.warnings).toEqual([expect.stringContaining('2')]);
});

test('a file that sorts before an applied one is an error with its flag, and runs with the flag', () => {
  const [folder, history] = [folderOf('1.sql', '2.sql', '3.sql'), historyOf(['1.sql', 1], ['3.sql', 1])];
  const { problem } = planForward(folder, history);
  expect(problem).toMatchObject({ code: 'MIGRATION_OUT_OF_ORDER', migration: '2.sql' });
  expect(problem?.hint).toContain('--allow-out-of-order');
  const allowed = planForward(folder, history, { allowOutOfOrder: true });
  expect(namesOf(allowed)).toEqual(['2.sql']);
  expect(allowed.warnings).toEqual([expect.stringContaining('2.sql sorts before 3.sql')]);
});

test('a rollback takes back the last batch, newest first, in the order of the history and not of the names', () => {
  const folder = folderOf('1.sql', '2.sql', '3.sql', '4.sql');
  const history = historyOf(['1.sql', 1], ['4.sql', 3], ['2.sql', 3], ['3.sql', 2]);
  const plan = planBackward(folder, history, { kind: 'last-batch' });
  expect(namesOf(plan)).toEqual(['2.sql', '4.sql']);
  expect(plan.batch).toBe(3);
});

test('a rollback --to takes back that migration and all that were applied after it', () => {
  const folder = folderOf('1.sql', '2.sql', '3.sql');
  const history = historyOf(['1.sql', 1], ['3.sql', 1], ['2.sql', 2]);
  const plan = planBackward(folder, history, { kind: 'to', to: fileOf(folder, 2) });
  expect(namesOf(plan)).toEqual(['2.sql', '3.sql']);
  const never = planBackward(folder, historyOf(['1.sql', 1]), { kind: 'to', to: fileOf(folder, 2) });
  expect(never.steps).toEqual([]);
});

test('a migration whose file is gone cannot be undone, and nothing else is', () => {
  const plan = planBackward(folderOf('2.sql'), historyOf(['1.sql', 1], ['2.sql', 1]), { kind: 'last-batch' });
  expect(plan).toMatchObject({ steps: [], problem: { code: 'MIGRATION_FILE_MISSING', migration: '1.sql' } });
});

test('where nothing is applied there is nothing to undo', () => {
  expect(planBackward(folderOf('1.sql'), historyOf(), { kind: 'all' })).toMatchObject({
    steps: [],
    batch: 0,
  });
});

/** A folder, and a history that batches of it have made in order. */
const applied = fc
  .record({
    names: fc.uniqueArray(fc.stringMatching(/^[0-9a-z_]{1,8}$/), { maxLength: 12 }),
    cuts: fc.array(fc.nat(12), { maxLength: 4 }),
  })
  .map(({ names, cuts }) => {
    const files = names.toSorted().map((name) => `${name}.sql`);
    let history = historyOf();
    for (const cut of cuts) {
      const folder = folderOf(...files);
      const { steps, batch } = planForward(folder, history, { to: folder.files[cut] });
      history = { ...history, entries: [...history.entries, ...steps.map(({ name }) => ({ name, batch }))] };
    }
    return { folder: folderOf(...files), history };
  });

test('forward brings every history to the whole folder, each migration once and in order', () => {
  fc.assert(
    fc.property(applied, ({ folder, history }) => {
      const plan = planForward(folder, history);
      expect(plan.problem).toBeUndefined();
      const after = [...history.entries.map((entry) => entry.name), ...namesOf(plan)];
      expect(after).toEqual(folder.files.map((file) => file.name));
    }),
  );
});

test('rolling back batch by batch empties every history, in the reverse order', () => {
  fc.assert(
    fc.property(applied, ({ folder, history }) => {
      const undone: string[] = [];
      let left = history;
      for (;;) {
        const names = namesOf(planBackward(folder, left, { kind: 'last-batch' }));
        if (names.length === 0) break;
        undone.push(...names);
        left = { ...left, entries: left.entries.filter((entry) => !names.includes(entry.name)) };
      }
      expect(undone).toEqual(history.entries.map((entry) => entry.name).toReversed());
      expect(namesOf(planBackward(folder, history, { kind: 'all' }))).toEqual(undone);
    }),
  );
});

test('the last batch is the highest number, not that of the last row', () => {
  const history = {
    entries: [
      { name: 'a', batch: 3 },
      { name: 'b', batch: 2 },
    ],
    lockedByKnex: false,
  };
  expect(lastBatch(history)).toBe(3);
  expect(lastBatch({ entries: [], lockedByKnex: false })).toBe(0);
});

test('of a tenant whose history cannot be read, nothing is due, and the reason is its problem', () => {
  const unreadable = new TenantctlError('DATABASE_ERROR', 'connection to the remote node x:1 failed');
  const plan = planner(folderOf('1.sql'))({ entries: [], lockedByKnex: false, unreadable });
  expect(plan).toMatchObject({ steps: [], problem: unreadable });
});
