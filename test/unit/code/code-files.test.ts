import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CodeDigests } from '../../../src/core/code/code-files.ts';

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'tenantctl-digests-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test('an edit of the same length is seen at once, within one tick of the file system, too', () => {
  const directory = folder();
  const path = join(directory, '1_a.js');
  const digests = new CodeDigests();
  for (let edit = 0; edit < 200; edit += 1) {
    writeFileSync(path, String(1000 + edit));
    const seen = digests.describe(path, directory);
    writeFileSync(path, String(2000 + edit));
    expect(digests.areUnchanged([seen], directory), `edit ${edit}`).toBe(false);
  }
});

test('an edit of an old file is seen, also if it gets its old time back', async () => {
  const directory = folder();
  const path = join(directory, '1_a.js');
  writeFileSync(path, 'one');
  const now = Date.now;
  onTestFinished(() => void (Date.now = now));
  // As if the file had been there for a minute.
  Date.now = () => now() + 60_000;
  const digests = new CodeDigests();
  const seen = digests.describe(path, directory);
  expect(digests.areUnchanged([seen], directory)).toBe(true);
  await new Promise((resolve) => setTimeout(resolve, 20));
  writeFileSync(path, 'two');
  utimesSync(path, new Date(0), new Date(0));
  expect(digests.areUnchanged([seen], directory)).toBe(false);
});
