import { describe, expect, test } from 'vitest';
import { checkOptions } from '../../../src/core/options/check-options.ts';
import * as tenantctl from '../../../src/index.ts';

/** A database that nobody may touch: options are checked before. */
const untouched = new Proxy({} as tenantctl.Database, {
  get(_target, name) {
    throw new Error(`The database was asked for ${String(name)}.`);
  },
});

const folder = 'migrations/tenants';
const nothing = () => {};

/** Calls as they may come from JavaScript, without types. */
const library = tenantctl as unknown as Record<string, (...args: unknown[]) => unknown>;
const call = async (name: string, ...args: readonly unknown[]) => library[name]?.(...args);
const usage = (naming: string) => ({ code: 'USAGE', message: expect.stringContaining(naming) as string });

const BAD: readonly (readonly [string, unknown])[] = [
  ['concurrency', 0],
  ['concurrency', 1.5],
  ['concurrency', '4'],
  ['lockTimeoutMs', '1; SELECT 1'],
  ['lockTimeoutMs', -1],
  ['statementTimeoutMs', Number.NaN],
  ['lockWaitMs', Number.POSITIVE_INFINITY],
  ['retries', Number.NaN],
  ['retries', 101],
  ['keepRuns', -1],
  ['tenantRole', 'role_{tenant}'],
  ['signal', {}],
  ['observe', 'log'],
  ['folder', undefined],
  ['folder', ''],
  ['tenants', 'org_a'],
  ['tenants', [1]],
  ['retryFailed', false],
  ['to', 3],
  ['verify', 'yes'],
  ['compile', 0],
  ['allowOutOfOrder', 'no'],
  ['vectorExtension', 'maybe'],
  ['masterFolder', 5],
  ['extent', 'all'],
  ['extent', { run: 1.5 }],
  ['rollout', 'canary'],
];

const RUNS = [
  'migrateTenants',
  'rollbackTenants',
  'migrateMaster',
  'rollbackMaster',
  'rehearseTenants',
  'rehearseTenantsRollback',
  'rehearseMaster',
  'rehearseMasterRollback',
];

describe.each(RUNS)('%s', (name) => {
  test.each(BAD)('refuses %s: %j before it touches the database', async (option, value) => {
    await expect(call(name, untouched, { folder, [option]: value })).rejects.toMatchObject(usage(option));
  });
});

const OTHERS: [string, string, ...unknown[]][] = [
  ['provisionTenants', 'organizationIds', untouched, 'org_abc', { folder }],
  ['provisionTenants', 'organizationIds', untouched, [1], { folder }],
  ['provisionTenants', 'options', untouched, ['org_a']],
  ['provisionTenants', 'concurrency', untouched, ['org_a'], { folder, concurrency: 0 }],
  ['provisionTenant', 'organizationId ', untouched, undefined, { folder }],
  ['provisionTenant', 'folder', untouched, 'org_a', {}],
  ['grantApplication', 'role', untouched, 5],
  ['grantApplication', 'revoke', untouched, 'app', { revoke: 'yes' }],
  ['readGrantPlan', 'role', untouched, ''],
  ['openProvisioner', 'folder', untouched, {}],
  ['openProvisioner', 'maxWaiting', untouched, { folder, maxWaiting: 0 }],
  ['suspendTenants', 'organizationIds', untouched, 'org_a'],
  ['suspendTenants', 'unfinished', untouched, ['org_a'], { unfinished: 1 }],
  ['suspendTenants', 'concurrency', untouched, ['org_a'], { concurrency: 0 }],
  ['suspendTenant', 'organizationId ', untouched, undefined],
  ['resumeTenants', 'organizationIds', untouched, [1], { folder }],
  ['resumeTenants', 'folder', untouched, ['org_a'], {}],
  ['resumeTenant', 'organizationId ', untouched, 5, { folder }],
  ['renameTenant', 'organizationId ', untouched, 'org_a', undefined],
  ['renameTenant', 'withSchema', untouched, 'org_a', 'org_b', { withSchema: 1 }],
  ['planRename', 'tenant', untouched, 5, 'org_b'],
  ['moveTenant', 'to ', untouched, 'org_a', {}],
  ['moveTenant', 'blockWrites', untouched, 'org_a', { to: 'node', blockWrites: 1 }],
  ['planMove', 'tenant', untouched, 5, { to: 'node' }],
  ['balanceTenants', 'by', untouched, { by: 'rows' }],
  ['balanceTenants', 'threshold', untouched, { threshold: 101 }],
  ['planTenantBalance', 'maxMoves', untouched, { maxMoves: 0 }],
  ['planTenantBalance', 'drain', untouched, { drain: 5 }],
  ['cloneTenant', 'folder', untouched, 'org_a', 'org_b', {}],
  ['cloneTenant', 'maskRest', untouched, 'org_a', 'org_b', { folder, maskRest: 'null' }],
  ['planClone', 'tenant', untouched, 5, 'org_b', { folder }],
  ['backupTenants', 'directory', untouched, {}],
  ['backupTenants', 'tenants', untouched, { directory: folder, tenants: 'org_a' }],
  ['backupTenantTo', 'organizationId ', untouched, 5],
  ['planBackups', 'tenants', untouched, { tenants: 'org_a' }],
  ['verifyBackup', 'path', 5],
  ['compareWithBackup', 'tenant', untouched, 5],
  ['dropTenants', 'organizationIds', untouched, 'org_a'],
  ['dropTenants', 'backupFolder', untouched, ['org_a'], { backupFolder: '' }],
  ['dropTenant', 'organizationId ', untouched, undefined],
  ['planDrop', 'organizationIds', untouched, 'org_a'],
  ['forgetTenants', 'organizationIds', untouched, 'org_a'],
  ['archiveTenants', 'backupFolder', untouched, ['org_a'], {}],
  ['archiveTenant', 'organizationId ', untouched, 5, { backupFolder: folder }],
  ['planArchive', 'organizationIds', untouched, [1]],
  ['adoptTenants', 'organizationIds', untouched, [{ schema: 'a' }]],
  ['adoptTenants', 'concurrency', untouched, [], { concurrency: 0 }],
  ['planAdoption', 'organizationIds', untouched, [{ schema: 'a' }]],
  ['parseAdoptions', 'text', 5],
  ['markMigrations', 'folder', untouched, { all: true }],
  ['markMigrations', 'names', untouched, { folder, names: 'a' }],
  ['planMarking', 'all', untouched, { folder, all: 1 }],
  ['planRestore', 'folder', untouched, 'a.tar', {}],
  ['restoreTenant', 'as', untouched, 'a.tar', { folder, as: 5 }],
  ['restoreTenant', 'replace', untouched, 'a.tar', { folder, replace: 1 }],
  ['restoreTenant', 'allowDrift', untouched, 'a.tar', { folder, allowDrift: 'yes' }],
  ['restoreTenantFrom', 'organizationId', untouched, untouched, 5, { folder }],
  ['planUnarchive', 'folder', untouched, ['org_a'], {}],
  ['unarchiveTenants', 'organizationIds', untouched, 'org_a', { folder }],
  ['unarchiveTenants', 'file', untouched, ['org_a'], { folder, file: '' }],
  ['planStatusChange', 'verb', untouched, 'drop', ['org_a']],
  ['migrateTenants', 'options', untouched, null],
  ['migrateTenants', 'include', untouched, { folder, include: ['FAILED'] }],
  ['rehearseAll', 'masterFolder', untouched, { folder }, { folder, masterFolder: 1 }],
  ['rollbackRun', 'extent', untouched, 1.5, { folder }],
  ['rollbackRun', 'extent', untouched, '7', { folder }],
  ['resolveInterrupted', 'answer', untouched, { tenant: 'org_a', answer: 'yes' }],
  ['resolveInterrupted', 'tenant', untouched, { answer: 'retry' }],
  ['acceptEdits', 'names', untouched, { names: 'a', tenantFolder: folder }],
  ['fleetStatus', 'tenantFolder', untouched, {}],
  ['fleetStatus', 'file or folder; got an empty string', untouched, { tenantFolder: '' }],
  ['fleetStatus', 'verify', untouched, { tenantFolder: folder, verify: 1 }],
  ['fleetReport', 'tenantFolder', untouched, {}],
  ['fleetReport', 'sizes', untouched, { tenantFolder: folder, sizes: 'no' }],
  ['fleetSnapshot', 'tenantFolder', untouched, {}],
  ['tenantState', 'name', untouched, 5, { tenantFolder: folder }],
  ['writeTenants', 'sql', untouched, {}],
  ['writeTenants', 'resume', untouched, { sql: 'SELECT 1', resume: true }],
  ['writeTenants', 'allowOutside', untouched, { sql: 'SELECT 1', allowOutside: 'public.x' }],
  ['rehearseWrite', 'sql', untouched, {}],
  ['seedTenants', 'seedFolder', untouched, { folder }],
  ['seedTenants', 'only', untouched, { folder, seedFolder: folder, only: '01_plans' }],
  ['seedTenants', 'again', untouched, { folder, seedFolder: folder, again: 1 }],
  ['rehearseSeeds', 'folder', untouched, { seedFolder: folder }],
  ['backfillTenants', 'sql', untouched, {}],
  ['backfillTenants', 'rowsPerSecond', untouched, { sql: 'SELECT 1', rowsPerSecond: 0 }],
  ['backfillTenants', 'maxBatches', untouched, { sql: 'SELECT 1', maxBatches: 0.5 }],
  ['backfillTenants', 'batchPauseMs', untouched, { sql: 'SELECT 1', batchPauseMs: '1' }],
  ['queryTenants', 'sql', untouched, { onRows: nothing }],
  ['queryTenants', 'onRows', untouched, { sql: 'SELECT 1', onRows: 'print' }],
  ['typesOfMigrations', 'masterFolder', { tenantFolder: folder }],
  [
    'typesOfMigrations',
    'vectorExtension',
    { masterFolder: folder, tenantFolder: folder, vectorExtension: 'maybe' },
  ],
  ['findDrift', 'reference', untouched, { tenantFolder: folder, reference: 5 }],
  ['showDrift', 'name', untouched, 5, { tenantFolder: folder }],
  ['dumpSchema', 'tenant', untouched, { tenantFolder: folder, tenant: 5 }],
  ['typesOfTenant', 'name', untouched, 5, { tenantFolder: folder }],
  ['forEachTenant', 'work', untouched, {}],
  ['forEachTenant', 'maxFailures', untouched, { work: nothing, maxFailures: 1 }],
  ['queryTenantsInto', 'table', untouched, { sql: 'SELECT 1' }],
  ['queryTenantsInto', 'allowPartial', untouched, { sql: 'SELECT 1', table: 't', allowPartial: 1 }],
  ['readRuns', 'limit', untouched, { limit: 0 }],
  ['readRun', 'runNumber', untouched, Number.NaN],
  ['readRunTenants', 'runNumber', untouched, '1; SELECT', { onlyFailed: false }],
  ['readUndone', 'runNumber', untouched, 0],
  ['diagnose', 'concurrency', { nodeVersion: '24.0.0', database: undefined, concurrency: 0 }],
  ['makeMigration', 'name', { folder, name: 5 }],
  ['makeMigration', 'format', { folder, name: 'a', format: 'py' }],
  ['initProject', 'tenantFolder', { folder, masterFolder: folder }],
  ['readTenantCheck', 'path', 5],
  ['selectTenants', 'names', [], 'org_a'],
  ['schemaNameFor', 'organizationId', 5],
  ['assertOrganizationId', 'organizationId', undefined],
  ['parseOrganizations', 'text', undefined],
];

test.each<[string, string, ...unknown[]]>(OTHERS)('%s refuses a wrong %s', async (name, naming, ...args) => {
  await expect(call(name, ...args)).rejects.toMatchObject(usage(naming));
});

/** Functions that take nothing that a caller could get wrong but a database or a result. */
const WITHOUT = [
  'assertRegistry',
  'readCapacity',
  'readTenants',
  'readDropped',
  'tenantsByNode',
  'statementText',
  'jsonValue',
  'isAlike',
  'readAdoptionCandidates',
];
/** These check their options where they are: src/db. */
const OF_DB = ['openDatabase', 'withDatabase'];

test('every function that the library exports checks its options', () => {
  const functions = Object.keys(library).filter(
    (name) => /^[a-z]/.test(name) && typeof library[name] === 'function' && !name.endsWith('Document'),
  );
  const checked = [...RUNS, ...OTHERS.map(([name]) => name)];
  expect(functions.filter((name) => ![...checked, ...WITHOUT, ...OF_DB].includes(name))).toEqual([]);
});

/** Right in everything but the database. */
const WITH_DATABASE: [string, ...unknown[]][] = [
  ...[
    ...RUNS,
    'resolveInterrupted',
    'acceptEdits',
    'fleetStatus',
    'fleetReport',
    'queryTenants',
    'writeTenants',
    'queryTenantsInto',
    'forEachTenant',
    'readRuns',
  ].map((name): [string, ...unknown[]] => [
    name,
    {
      folder,
      tenantFolder: folder,
      tenant: 'org_a',
      answer: 'retry',
      names: [],
      sql: 'TABLE a',
      table: 'report',
      onRows: nothing,
      work: nothing,
    },
  ]),
  ['provisionTenant', 'org_a', { folder }],
  ['provisionTenants', ['org_a'], { folder }],
  ['rollbackRun', 1, { folder }],
  ['rehearseAll', { folder }, { folder }],
  ['tenantState', 'org_a', { tenantFolder: folder }],
  ['readRun', 'latest'],
  ['readRunTenants', 1, { onlyFailed: false }],
  ['readUndone', 1],
  ['readTenants'],
  ['assertRegistry'],
  ['readCapacity'],
];

test.each(WITH_DATABASE)('%s refuses anything but an open database', async (name, ...args) => {
  await expect(call(name, {}, ...args)).rejects.toMatchObject(usage('database must be'));
  await expect(call(name, Promise.resolve({}), ...args)).rejects.toMatchObject({
    ...usage('database must be'),
    hint: 'Await openDatabase.',
  });
});

describe('the options of a rollout', () => {
  test.for([
    [{ canary: { count: 0 } }, 'canary'],
    [{ canary: { percent: 0 } }, 'canary'],
    [{ canary: { tenants: [] } }, 'canary'],
    [{ wave: { count: 1.5 } }, 'wave'],
    [{ wave: { percent: 101 } }, 'wave'],
    [{ maxFailures: { count: -1 } }, 'maxFailures'],
    [{ maxCanaryFailures: { percent: 101 } }, 'maxCanaryFailures'],
    [{ maxFailures: { percent: Number.NaN } }, 'maxFailures'],
    [{ pauseMs: -1 }, 'pauseMs'],
    [{ maxReplicaLagMs: Number.NaN }, 'maxReplicaLagMs'],
    [{ onCanaryFailure: 'ask' }, 'onCanaryFailure'],
    [{ check: 'SELECT true' }, 'check'],
  ] as const)('%j is refused', ([rollout, name]) => {
    expect(() => checkOptions({ rollout })).toThrow(`rollout.${name} must be`);
  });

  test('what makes sense is not', () => {
    const rollout = { wave: { percent: 0.1 }, maxFailures: { percent: 0 }, pauseMs: 0.5 };
    expect(() => checkOptions({ rollout: { ...rollout, canary: { tenants: ['a'] } } })).not.toThrow();
    expect(() => checkOptions({ rollout: { ...rollout, canary: { count: 1 } } })).not.toThrow();
  });
});

test('what is undefined counts as absent, and what is allowed is allowed', () => {
  const { signal } = new AbortController();
  const options = {
    folder,
    tenants: undefined,
    concurrency: 'auto',
    lockTimeoutMs: 0,
    retries: 100,
    tenantRole: 'owner_{schema}',
    signal,
    extent: { all: true },
    retryFailed: true,
    observe: undefined,
  };
  expect(checkOptions(options, 'folder')).toBe(options);
  expect(checkOptions({ observe: nothing }).observe).toBeTypeOf('function');
});

test('a text that was passed in the wrong place is not repeated: it may be a secret', () => {
  expect(() => checkOptions({ lockTimeoutMs: 'hunter2' })).toThrow(
    'lockTimeoutMs must be a whole number of milliseconds from 0 to 2147483647; got string.',
  );
});
