import { Writable } from 'node:stream';
import { Chalk } from 'chalk';
import { describe, expect, test } from 'vitest';
import type { Output } from '../../../src/cli/terminal/output.ts';
import { progressOn } from '../../../src/cli/terminal/progress.ts';
import { UNICODE } from '../../../src/cli/render/look.ts';
import { progressLine, timeLeft } from '../../../src/cli/render/progress-line.ts';
import { TenantctlError } from '../../../src/errors.ts';

/** A number in letters: names and messages that differ, and not by a number. */
function word(number: number): string {
  return String(number).replaceAll(/\d/g, (digit) => 'abcdefghij'[Number(digit)] ?? '');
}

interface Shown {
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly terminal?: boolean;
  readonly width?: number;
}

/** Progress with a clock that the test sets, the lines that it writes, and what its spinner would draw now. */
function progress({ verbose = false, json = false, terminal = false, width }: Shown = {}) {
  const plain = { paint: new Chalk({ level: 0 }), marks: UNICODE, width };
  const lines: string[] = [];
  const message = (text: string) => void lines.push(text);
  const output: Output = {
    json,
    quiet: false,
    verbose,
    color: false,
    look: plain,
    errorLook: plain,
    animated: terminal,
    isTerminal: terminal,
    redraws: terminal,
    visible: (text) => text,
    learnSecrets: () => {},
    masked: JSON.stringify,
    stdout: () => new Writable(),
    result: () => Promise.resolve(),
    document: () => Promise.resolve(),
    message,
    warn: (text) => message(`! ${text}`),
    part: () => Promise.resolve(),
    complain: message,
  };
  let ms = 0;
  let draw = () => '';
  let stopped = false;
  const spinner = {
    show: (text: () => string) => void (draw = text),
    stop: () => void (stopped = true),
  };
  const { observe, ...rest } = progressOn(output, terminal ? spinner : undefined, () => ms);
  let done = 0;
  let due = 0;
  const end = (clerkOrgId: string, schema: string, error?: TenantctlError) => {
    done += 1;
    const outcome = error === undefined ? 'migrated' : 'failed';
    observe({
      type: 'tenant',
      result: { clerkOrgId, schema, outcome, names: [], batch: 1, durationMs: 3, error },
      done,
      due,
    });
  };
  return {
    lines,
    observe,
    stop: () => rest.stop(),
    draw: () => draw(),
    isStopped: () => stopped,
    wait: (milliseconds: number) => void (ms += milliseconds),
    select(number: number) {
      [done, due] = [0, number];
      observe({ type: 'selected', total: number, due: number });
    },
    /** So many tenants end, one every so many milliseconds. */
    run(tenants: number, everyMs: number) {
      for (let tenant = 0; tenant < tenants; tenant += 1) {
        ms += everyMs;
        end(`org_${done}`, `tid_${done}`);
      }
    },
    /** A tenant fails with this message; `{schema}` and `{org}` stand for its names. */
    fail(message: string, migration = '1_a.sql') {
      const [schema, org] = [`tid_${word(done)}`, `acme-${word(done)}`];
      const text = message.replaceAll('{schema}', schema).replaceAll('{org}', org);
      end(org, schema, new TenantctlError('MIGRATION_FAILED', text, { migration, sqlstate: '42P01' }));
    },
  };
}

test('a line of progress says how far, how fast, how long still, and how many failed', () => {
  expect(progressLine({ done: 12_345, due: 50_000, failed: 2, rate: 842 })).toBe(
    '12,345/50,000 tenants, 842/s, 45 s to go, 2 failed',
  );
  expect(progressLine({ done: 0, due: 1, failed: 0, rate: 0 })).toBe('0/1 tenants');
  expect(progressLine({ done: 5, due: 5, failed: 1_200, rate: 1_234.5 })).toBe(
    '5/5 tenants, 1,235/s, 1,200 failed',
  );
  expect(progressLine({ done: 1, due: 35, failed: 0, rate: 3.4 })).toBe('1/35 tenants, 3.4/s, 10 s to go');
  expect(progressLine({ done: 1, due: 2, failed: 0, rate: 1 / 24 })).toBe('1/2 tenants, 2.5/min, 24 s to go');
});

test.for([
  [0.2, '1 s'],
  [45, '45 s'],
  [59.5, '1 min 00 s'],
  [61, '1 min 10 s'],
  [200, '3 min 20 s'],
  [3_599, '1 h 00 min'],
  [3_841, '1 h 05 min'],
  [400_000, '111 h 07 min'],
] as const)('%d seconds are told as %s', ([seconds, text]) => {
  expect(timeLeft(seconds)).toBe(text);
});

describe('the rate', () => {
  test('is that of the last seconds, and not the average of the run', () => {
    const shown = progress({ terminal: true });
    shown.select(100_000);
    shown.run(60_000, 1);
    expect(shown.draw()).toBe('██████░░░░ 60,000/100,000 tenants, 1,000/s, 40 s to go');
    shown.run(1_200, 10);
    expect(shown.draw()).toBe('██████░░░░ 61,200/100,000 tenants, 100/s, 6 min 30 s to go');
  });

  test('begins with the work, however long the histories took to read', () => {
    const shown = progress({ terminal: true });
    shown.wait(60_000);
    shown.select(1_000);
    shown.run(100, 10);
    expect(shown.draw()).toBe('█░░░░░░░░░ 100/1,000 tenants, 100/s, 9 s to go');
  });

  test('falls while no tenant ends, without being told', () => {
    const shown = progress({ terminal: true });
    shown.select(10_000);
    shown.run(5_000, 1);
    shown.wait(45_000);
    expect(shown.draw()).toBe('█████░░░░░ 5,000/10,000 tenants, 100/s, 50 s to go');
  });

  test('of tenants that take long reaches back further', () => {
    const shown = progress({ terminal: true });
    shown.select(1_000);
    shown.run(100, 20_000);
    shown.wait(19_000);
    expect(shown.draw()).toMatch(/^█░{9} 100\/1,000 tenants, 2\.9\/min, 5 h 1\d min to go$/);
  });
});

test('without a terminal there is a line every five seconds, however many tenants end', () => {
  const shown = progress();
  shown.select(50_000);
  shown.run(50_000, 0.5);
  expect(shown.lines).toEqual([
    '10,000/50,000 tenants, 2,000/s, 20 s to go',
    '20,000/50,000 tenants, 2,000/s, 15 s to go',
    '30,000/50,000 tenants, 2,000/s, 10 s to go',
    '40,000/50,000 tenants, 2,000/s, 5 s to go',
    '50,000/50,000 tenants, 2,000/s',
  ]);
});

test('without a terminal a phase is told when five seconds have passed, and not each time', () => {
  const shown = progress();
  for (let tenants = 0; tenants <= 50_000; tenants += 1_000) {
    shown.observe({ type: 'phase', message: `Reading the histories: ${tenants}` });
    shown.wait(200);
  }
  expect(shown.lines).toEqual(['Reading the histories: 25000', 'Reading the histories: 50000']);
});

test('on a terminal the moving line is worked out when it is drawn, and stands below what is written', () => {
  const shown = progress({ terminal: true });
  shown.observe({ type: 'phase', message: 'Reading the histories of 2 tenants' });
  expect(shown.draw()).toBe('Reading the histories of 2 tenants');
  shown.select(2);
  expect(shown.draw()).toBe('░░░░░░░░░░ 0/2 tenants');
  shown.observe({ type: 'warning', message: 'Take care' });
  shown.wait(500);
  shown.fail('it broke');
  expect(shown.draw()).toBe('█████░░░░░ 1/2 tenants, 2.0/s, 1 s to go, 1 failed');
  expect(shown.lines).toEqual(['! Take care']);
  shown.stop();
  expect(shown.isStopped()).toBe(true);
});

test('a wave is told when it ends, with a bar of the whole run; the moving line says which one is at work', () => {
  const shown = progress({ terminal: true, width: 80 });
  shown.select(40);
  const wave = { kind: 'wave', number: 1, of: 4, tenants: 10 } as const;
  shown.observe({ type: 'wave', ...wave });
  expect(shown.lines).toEqual([]);
  shown.run(5, 100);
  expect(shown.draw()).toBe('█░░░░░░░░░ wave 1 of 4, 5/40 tenants, 10/s, 4 s to go');
  shown.run(5, 100);
  const result = { upToDate: 0, migrated: 10, failed: 0, skipped: 0, durationMs: 1_000 };
  shown.observe({ type: 'wave-done', ...wave, ...result });
  expect(shown.lines).toEqual(['██░░░░░░░░ Wave 1 of 4: 10 tenants ✔ 10 done (1.0 s)']);
});

test('on a narrow terminal the moving line is shorter, so that it stays one line', () => {
  const drawn = (width: number) => {
    const shown = progress({ terminal: true, width });
    shown.select(50_000);
    shown.run(12_345, 1);
    shown.fail('it broke');
    return shown.draw();
  };
  expect(drawn(80)).toBe('██░░░░░░░░ 12,346/50,000 tenants, 1,000/s, 38 s to go, 1 failed');
  expect(drawn(60)).toBe('██░░░░░░░░ 12,346/50,000 tenants, 38 s to go, 1 failed');
  expect(drawn(50)).toBe('12,346/50,000 tenants, 38 s to go, 1 failed');
});

test('a warning that comes again is shown once; with --verbose each time', () => {
  const warned = (verbose: boolean) => {
    const shown = progress({ verbose });
    for (const message of ['Lost', 'Lost', 'Other', 'Lost']) shown.observe({ type: 'warning', message });
    return shown.lines;
  };
  expect(warned(false)).toEqual(['! Lost', '! Other']);
  expect(warned(true)).toHaveLength(4);
});

describe('failures', () => {
  test('of a short run are left to the result, on a terminal and off one', () => {
    for (const terminal of [false, true]) {
      const shown = progress({ terminal });
      shown.select(50);
      for (let tenant = 0; tenant < 50; tenant += 1) shown.fail('it broke');
      shown.stop();
      expect(shown.lines).toEqual([]);
    }
  });

  test('of a long run are announced once for each migration, without the reason, which the result has', () => {
    const shown = progress({ terminal: true });
    shown.select(50_000);
    shown.fail('it broke');
    expect(shown.lines).toEqual([]);
    shown.wait(5_000);
    for (let tenant = 0; tenant < 5_000; tenant += 1) shown.fail('it broke');
    shown.fail('it broke too', '2_b.sql');
    expect(shown.lines).toEqual([
      '✖ acme-a tid_a failed at 1_a.sql (SQLSTATE 42P01)',
      '✖ acme-faab tid_faab failed at 2_b.sql (SQLSTATE 42P01)',
    ]);
    expect(shown.draw()).toMatch(/5,002\/50,000 tenants, .*, 5,002 failed$/);
  });

  test('with --json are shown with the reason of the first, and counted', () => {
    const shown = progress({ json: true });
    shown.select(50_000);
    for (let tenant = 0; tenant < 5_000; tenant += 1) shown.fail('there is no {schema}.nowhere');
    shown.stop();
    expect(shown.lines).toEqual([
      '✖ acme-a tid_a: 1_a.sql: there is no tid_a.nowhere (SQLSTATE 42P01)',
      '✖ 5000 tenants failed at 1_a.sql (SQLSTATE 42P01)',
    ]);
  });

  test('and successes are shown one and all with --verbose', () => {
    const shown = progress({ verbose: true });
    shown.select(5_000);
    for (let tenant = 0; tenant < 500; tenant += 1) shown.fail('it broke');
    shown.run(1, 0);
    expect(shown.lines).toHaveLength(501);
    expect(shown.lines.at(-1)).toBe('✔ org_500 tid_500, 3 ms');
  });
});
