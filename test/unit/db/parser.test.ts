import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const PARSES = `const { parse } = await import('./src/db/parser.ts');
for (let i = 0; i < 60; i += 1) await parse('CREATE TABLE t' + i + ' (id int PRIMARY KEY, a text NOT NULL)');
console.log(process.resourceUsage().maxRSS / 1024);`;

test('V8 does not optimize the grammar: that would take 600 MB of memory', async () => {
  // It optimizes in the background; with this flag at once.
  const args = ['--wasm-sync-tier-up', '--input-type=module', '--eval', PARSES];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect(stderr).toBe('');
  expect(Number(stdout)).toBeLessThan(300);
});
