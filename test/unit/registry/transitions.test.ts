import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { TRANSITIONS } from '../../../src/core/registry/transitions.ts';

const LIFE = readFileSync(join(import.meta.dirname, '../../../docs/life.md'), 'utf8');

test('docs/life.md has the same statuses for each verb as the code', () => {
  const [, table = ''] = /\n\| verb [^\n]*\n\|---[^\n]*\n((?:\|[^\n]*\n)+)/.exec(LIFE) ?? [];
  const told = table
    .trimEnd()
    .split('\n')
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    );
  const word = (status: string | null | undefined) => status ?? '–';
  const done = Object.entries(TRANSITIONS).map(([verb, transition]) => {
    const { from, to, ...more }: { from: readonly (string | null)[]; to: string | null } = transition;
    const { during, failed }: { during?: string; failed?: string } = more;
    const name = verb.replace('suspendUnfinished', 'suspend, unfinished');
    return [name, from.map(word).join(', '), word(during), word(to), word(failed)];
  });
  expect(told).toEqual(done);
});
