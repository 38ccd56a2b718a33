import { Chalk } from 'chalk';
import { expect, test } from 'vitest';
import { ASCII, UNICODE } from '../../../src/cli/render/look.ts';
import { optionWords } from '../../../src/cli/render/option-words.ts';
import { renderRunEnd } from '../../../src/cli/render/run-end.ts';

const plain = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };

test('a narrow terminal has a line for each command, and without UTF-8 the line is ASCII', () => {
  const run = { id: 9, command: 'migrate tenants', failed: 1, changed: 0 };
  expect(renderRunEnd(run, { ...plain, width: 60 })).toBe(
    'Run 9\n  tenantctl runs show 9\n  tenantctl migrate tenants --retry-failed 9',
  );
  expect(renderRunEnd(run, { ...plain, marks: ASCII })).toBe(
    'Run 9 | tenantctl runs show 9 | tenantctl migrate tenants --retry-failed 9',
  );
});

test('what is undone already is not offered to be undone', () => {
  const run = { id: 9, command: 'migrate tenants', failed: 0, changed: 4 };
  expect(renderRunEnd(run, plain)).toContain('rollback tenants --run 9');
  expect(renderRunEnd({ ...run, isUndone: true }, plain)).toBe('Run 9 · tenantctl runs show 9');
  expect(renderRunEnd({ ...run, command: 'tenant provision' }, plain)).toBe('Run 9 · tenantctl runs show 9');
});

test('tenants that a check refused are tried again with a check', () => {
  const run = { id: 9, command: 'migrate tenants', failed: 1, changed: 0 };
  const tenants = [{ error: { code: 'CHECK_REFUSED' } as const }];
  expect(renderRunEnd({ ...run, tenants }, plain)).toContain('--retry-failed 9 --check <file.sql>');
});

test('what was applied to a tenant that failed is offered to be undone', () => {
  const run = { id: 9, command: 'migrate tenants', failed: 1, changed: 0 };
  const offers = (names: readonly string[], direction: 'up' | 'down') =>
    renderRunEnd({ ...run, tenants: [{ names, direction }] }, plain).includes('rollback tenants --run 9');
  expect([offers(['3_a.sql'], 'up'), offers(['3_a.sql'], 'down'), offers([], 'up')]).toEqual([
    true,
    false,
    false,
  ]);
});

test('options are told in words', () => {
  const options = {
    to: '3_a.sql',
    all: true,
    tenants: ['org_a', 'org_b'],
    retryFailed: 7,
    concurrency: 'auto',
    compile: false,
    allowOutOfOrder: true,
    rollout: {
      canary: { count: 3 },
      wave: { percent: 50 },
      pauseMs: 2_000,
      check: 'check.sql',
      maxCanaryFailures: { count: 1 },
      maxReplicaLagMs: 500,
    },
  };
  expect(optionWords(options)).toEqual([
    'to: 3_a.sql',
    'all',
    'tenants: org_a, org_b',
    'retry failed: 7',
    'concurrency: auto',
    'no compile',
    'allow out of order',
    'canaries: 3',
    'wave: 50 %',
    'pause: 2.0 s',
    'check: check.sql',
    'max canary failures: 1',
    'max replica lag: 500 ms',
  ]);
  expect(
    optionWords({ run: 4, rollout: { canary: { tenants: ['org_a'] } }, somethingNew: { x: 1 } }),
  ).toEqual(['undo run: 4', 'canaries: org_a', 'something new: {"x":1}']);
});
