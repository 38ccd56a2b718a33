import { expect, test } from 'vitest';
import { limitsOf } from '../../../src/core/guard/limits.ts';
import { createReadStatements } from '../../../src/core/statements/read-statements.ts';

const readStatements = createReadStatements();

const NOTHING = {
  schemas: [],
  keyLocks: [],
  hasHiddenCalls: false,
  drops: false,
  hasExtension: false,
  locksShared: false,
};

test('a text that drops is looked at for what is gone, and an obscure one throughout', async () => {
  const limits = async (...texts: string[]) => limitsOf(await Promise.all(texts.map(readStatements)), []);
  const usual = { schemas: ['public'], keyLocks: [] };
  expect(await limits('ALTER TABLE t ADD x int')).toEqual({
    ...usual,
    drops: false,
    thorough: false,
    columns: false,
  });
  expect(await limits('CREATE TABLE t ()', 'DROP TABLE u')).toEqual({
    ...usual,
    drops: true,
    thorough: false,
    columns: false,
  });
  expect(await limits('ALTER TABLE t DROP x CASCADE')).toEqual({
    ...usual,
    drops: true,
    thorough: false,
    columns: false,
  });
  expect(await limits('SELECT 1')).toEqual({ ...usual, drops: false, thorough: true, columns: false });
  expect(await limits('SELECT 1', 'DO $$ BEGIN END $$')).toEqual({
    ...usual,
    drops: true,
    thorough: true,
    columns: false,
  });
  expect(await limits('this is no SQL')).toEqual({ ...usual, drops: true, thorough: true, columns: true });
});

test('where event triggers may run with any change, each text is looked at throughout', async () => {
  const readings = [await readStatements('ALTER TABLE t ADD x int')];
  const observed = { ...NOTHING, hasHiddenCalls: true };
  expect(limitsOf(readings, [observed])).toMatchObject({ thorough: true });
});

test('what the schema holds is noted where the first tenants dropped some of it', async () => {
  const readings = [await readStatements('ALTER TABLE t ALTER x TYPE text')];
  expect(limitsOf(readings, [NOTHING])).toMatchObject({ drops: false });
  expect(limitsOf(readings, [NOTHING, { ...NOTHING, drops: true }])).toMatchObject({ drops: true });
});

test('texts that name the history are looked at throughout: triggers may run when tenantctl writes it', async () => {
  const readings = [await readStatements('CREATE TRIGGER a AFTER INSERT ON h EXECUTE FUNCTION f()')];
  expect(limitsOf(readings, [])).toMatchObject({ thorough: false });
  expect(limitsOf(readings, [], true)).toMatchObject({ thorough: true });
});

test('what two tenants showed of shared tables is what the others may lock', () => {
  const keyLocks = ['4711:ShareRowExclusiveLock:digest'];
  const one = { ...NOTHING, schemas: ['audit', 'public'], keyLocks };
  const other = { ...NOTHING, schemas: ['billing', 'public'] };
  expect(limitsOf([], [one, other])).toEqual({
    schemas: ['public', 'audit', 'billing'],
    keyLocks,
    drops: false,
    thorough: false,
    columns: false,
  });
});
