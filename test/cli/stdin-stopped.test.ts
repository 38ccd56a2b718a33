import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { backupTenants } from '../../src/core/tenant/backup.ts';
import { CLI_ENV, PROGRAM } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';

/** Starts a command, writes to its stdin what it must have begun to read when this returns, and stops it. */
async function stopReading({ project, testDatabase }: TestFleet, args: readonly string[], input: Buffer) {
  const child = spawn(process.execPath, ['--', PROGRAM, 'tenant', ...args], {
    cwd: project.folder,
    env: { ...CLI_ENV, ...testDatabase.env },
  });
  const said = text(child.stderr);
  const closed = once(child, 'close');
  // It holds no more when the program has ended.
  child.stdin.on('error', () => {});
  // More than a pipe holds: the callback comes when the program reads.
  await promisify((chunk: Buffer, done: (error?: Error | null) => void) => child.stdin.write(chunk, done))(
    input,
  );
  child.kill('SIGTERM');
  const [exitCode] = (await closed) as [number | null];
  return { exitCode, stderr: await said };
}

test('SIGTERM ends what waits for standard input at once, and nothing is left', async () => {
  const fleet = await createFleet(['org_a']);
  const { query } = fleet;
  const lines = Buffer.from('org_new\n'.repeat(50_000));
  for (const args of [
    ['provision', '--from', '-'],
    ['adopt', '--map', '-'],
    ['clone', 'org_a', 'org_new', '--mask', '-'],
  ]) {
    const { exitCode, stderr } = await stopReading(fleet, args, lines);
    expect({ args, exitCode, stderr }).toEqual({
      args,
      exitCode: 143,
      stderr: expect.stringContaining('Stopped before anything was changed.'),
    });
  }
  await query(`ALTER TABLE ${schemaNameFor('org_a')}.notes ADD COLUMN noise text DEFAULT md5(random()::text);
    INSERT INTO ${schemaNameFor('org_a')}.notes SELECT generate_series(1, 40000)`);
  const { tenants } = await backupTenants(fleet.database, { directory: fleet.project.folder });
  const file = tenants[0]?.file ?? '';
  const most = (await readFile(file)).subarray(0, -2_000);
  expect(most.length).toBeGreaterThan(500_000);
  expect(await stopReading(fleet, ['verify', '-'], most)).toMatchObject({ exitCode: 143 });
  const restored = await stopReading(fleet, ['restore', '-', '--as', 'org_new', '--allow-drift'], most);
  expect(restored).toMatchObject({
    exitCode: 143,
    stderr: expect.stringContaining('Nothing of it was kept.'),
  });
  expect(await query('SELECT clerk_org_id AS id FROM tenants')).toEqual([{ id: 'org_a' }]);
  expect(await query('SELECT FROM tenantctl.verb_intents')).toEqual([]);
});
