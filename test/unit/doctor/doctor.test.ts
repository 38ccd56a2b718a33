import { Chalk } from 'chalk';
import { describe, expect, it } from 'vitest';
import { renderDiagnosis } from '../../../src/cli/render/doctor.ts';
import { UNICODE, type Look } from '../../../src/cli/render/look.ts';
import { failed, judge, kebab, ok, skipped, warning, type Verdict } from '../../../src/core/doctor/check.ts';
import { decide } from '../../../src/core/doctor/decide.ts';
import { toDiagnosis } from '../../../src/core/doctor/diagnose.ts';
import { KNEX } from '../../../src/core/doctor/knex-checks.ts';
import { provisionCommand } from '../../../src/core/registry/not-active.ts';
import { NOTHING_REMEMBERED } from '../../../src/core/state/memory.ts';
import { listed, shellWord } from '../../../src/wording.ts';
import { DEFAULT_NAMES } from '../../../src/names.ts';

const plain: Look = { paint: new Chalk({ level: 0 }), marks: UNICODE, width: undefined };
const NOW = new Date('2026-06-01T00:00:00Z');

const line = (id: string, title: string, verdict: Verdict) => ({ id, title, ...verdict });

describe('the answer', () => {
  const bad = line('registry', 'Registry', failed('no', 'do this'));

  it('is well where nothing failed', () => {
    const { error, totals } = toDiagnosis([
      line('node', 'Node.js', ok('')),
      line('tls', 'TLS', warning('', 'x')),
      line('pooler', 'Pooler', skipped('')),
    ]);
    expect(error).toBeUndefined();
    expect(totals).toEqual({ ok: 1, warnings: 1, failed: 0, skipped: 1 });
  });

  it('has the code of the configuration before that of the connection before its own', () => {
    const configuration = line('variable-db-port', 'DB_PORT', failed('', 'x', 'CONFIG_INVALID'));
    const connection = line('connection', 'Connection', failed('', 'x', 'LOGIN_FAILED'));
    expect(toDiagnosis([configuration, connection, bad]).error?.code).toBe('CONFIG_INVALID');
    expect(toDiagnosis([connection, bad]).error?.code).toBe('LOGIN_FAILED');
    expect(toDiagnosis([bad]).error?.code).toBe('DOCTOR_FAILED');
  });

  it('skips all that needs a database where there is none', () => {
    const checks = decide({
      options: { nodeVersion: '24.0.0', database: undefined },
      now: NOW,
      folders: undefined,
      hooks: undefined,
      knexfile: undefined,
      knexVersion: undefined,
      connection: { kind: 'not-configured' },
    });
    expect(new Set(checks.slice(1).map(({ status }) => status))).toEqual(new Set(['skipped']));
    expect(new Set(checks.map(({ id }) => id)).size).toBe(checks.length);
  });

  it('begins with the findings, then says what is in order; --verbose lists what was skipped', async () => {
    const checks = [
      line('node', 'Node.js', ok('24.0.0')),
      line('registry', 'Registry', warning('odd', 'look')),
      line('own-public', 'Own public', failed('no', 'one;\ntwo;')),
      line('tls', 'TLS', skipped('why')),
    ];
    const findings = ['✖ Own public: no', '  → one;', '    two;', '! Registry: odd', '  → look', ''];
    const sum = '✖ 4 checks: 1 ok, 1 warning, 1 failed, 1 skipped';
    const lines = async (verbose: boolean, width?: number) =>
      (await renderDiagnosis(toDiagnosis(checks), verbose, { ...plain, width })).split('\n');
    expect(await lines(false)).toEqual([
      ...findings,
      '✔ Node.js  24.0.0',
      '',
      `${sum} (--verbose lists them)`,
    ]);
    expect(await lines(true)).toEqual([...findings, '✔ Node.js  24.0.0', '· TLS      why', '', sum]);
  });

  it('fits the terminal: details are broken or cut, remedies never', async () => {
    const checks = [
      line(
        'connection',
        'Connection',
        ok('postgres at a-host-with-a-long-name.example.com:5432/app, in 9 ms'),
      ),
      line(
        'registry',
        'Registry',
        failed('it has no column that could be used', 'tenantctl migrate master --x'),
      ),
    ];
    expect(
      (await renderDiagnosis(toDiagnosis(checks), false, { ...plain, width: 25 })).split('\n').slice(0, 5),
    ).toEqual([
      '✖ Registry: it has no',
      '  column that could be',
      '  used',
      '  → tenantctl migrate master --x',
      '',
    ]);
  });
});

describe('an interrupted migration', () => {
  const remedyFor = (direction: 'up' | 'down', schema: string) =>
    judge(KNEX, {
      role: 'me',
      master: undefined,
      tenantFolder: undefined,
      names: DEFAULT_NAMES,
      shape: undefined,
      adoption: { histories: [], registry: [], isRecorded: false },
      notUnique: [],
      foreignParts: [],
      masterHistory: { entries: [], lockedByKnex: false },
      stateVersion: 1,
      memory: {
        ...NOTHING_REMEMBERED,
        intents: new Map([[schema, { migration: "a'b.ts", direction, startedAt: NOW }]]),
      },
      tenantSchemas: [],
      atWork: [],
      fleet: undefined,
    }).find(({ id }) => id === 'intents')?.remedy;

  it('is resolved by one of two commands, whether it was going up or down', () => {
    expect(remedyFor('up', 'tid_x')).toBe(
      "Check whether the work of a'b.ts is there in tid_x. If so: tenantctl resolve tid_x --applied. If not, undo its partial work, then: tenantctl resolve tid_x --retry.",
    );
    expect(remedyFor('down', 'public')).toContain(
      'is gone in public. If so: tenantctl resolve master --applied.',
    );
  });
});

describe('words in remedies', () => {
  it('are quoted for the shell where they need it', () => {
    expect(['org_1', 'a b', "o'rg", '$x', ''].map(shellWord)).toEqual([
      'org_1',
      "'a b'",
      `'o'\\''rg'`,
      "'$x'",
      "''",
    ]);
    expect(provisionCommand(['a', '-b'])).toBe('tenantctl tenant provision -- a -b');
  });

  it('are listed up to five', () => {
    expect(listed(['a', 'b', 'c', 'd', 'e', 'f', 'g'])).toBe('a, b, c, d, e and 2 more');
    expect(kebab('20250101_A b.ts')).toBe('20250101-a-b-ts');
  });
});
