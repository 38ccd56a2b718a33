import { stripVTControlCharacters } from 'node:util';
import { Client } from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { startCli, tenantctl } from '../support/cli.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { closeGate, until, WAIT_AT_GATE } from '../support/gate.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

const ALTERNATE_SCREEN = '\u001B[?1049h';
const USUAL_SCREEN = '\u001B[?1049l';
const HOME = '\u001B[H';
const ESCAPE = '\u001B';

/** Starts the program; `seen` has what it wrote to stdout so far. */
function startWatch({ project, testDatabase }: TestFleet, ...args: string[]) {
  const child = startCli(['status', '--watch', '1', ...args], { cwd: project.folder, env: testDatabase.env });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const seen = () => text;
  const documents = () =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { child, seen, documents };
}

describe('status --watch', () => {
  test('--json writes a line each round: the run at work, who blocks it, and that the connection was lost', async () => {
    const fleet = await createFleet(['org_a', 'org_b']);
    await fleet.add(
      '20250101000003_gate.sql',
      `-- migrate:up\n${WAIT_AT_GATE}\nCREATE TABLE gates (id int);\n`,
    );
    const gate = await closeGate(fleet.testDatabase);
    const migrating = fleet.migrate();
    await gate.reached(2);
    const { child, documents } = startWatch(fleet, '--json');
    await until(() => Promise.resolve(documents().length >= 2), 'two rounds');
    expect(documents().at(-1)).toMatchObject({
      command: 'status',
      ok: true,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
      tenants: { total: 2, behind: 2 },
      attention: [],
      runs: [{ command: 'migrate tenants', outcome: 'at-work', totals: { changed: 0, failed: 0 } }],
      blockedBy: [{ application: 'gate' }],
    });
    await gate.open();
    await migrating;
    const server = new Client({ connectionString: inject('serverUrl') });
    await server.connect();
    onTestFinished(() => server.end());
    const { database } = fleet.testDatabase.settings;
    await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
    await server.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [
      database,
    ]);
    await until(() => Promise.resolve(documents().at(-1)?.ok === false), 'a round that fails');
    expect(documents().at(-1)).toMatchObject({ ok: false, error: { message: expect.any(String) } });
    await server.query(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`);
    await until(() => Promise.resolve(documents().at(-1)?.ok === true), 'a round that succeeds again');
    expect(documents().at(-1)).toMatchObject({ tenants: { upToDate: 2 }, runs: [], blockedBy: [] });
    child.kill('SIGINT');
    expect(await child.done).toMatchObject({ exitCode: 0, stderr: '' });
  });

  test.for([
    ['q', 'q'],
    ['Ctrl-C', '\u0003'],
  ])(
    'is drawn in place on a terminal, cut to its height; %s ends it and gives the terminal back',
    async ([, key = ''], { skip }) => {
      skip(noTerminal !== undefined, noTerminal);
      const fleet = await createFleet(['org_a', 'org_b']);
      await fleet.add('20250101000003_more.sql', '-- migrate:up\nCREATE TABLE more (id int);\n');
      const { exitCode, shown } = await tenantctlOnTerminal(['status', '--watch', '1', '--all'], {
        cwd: fleet.project.folder,
        env: fleet.testDatabase.env,
        rows: 5,
        typed: { after: /(?:Master[^]*){2}/, text: key },
      });
      expect(exitCode).toBe(0);
      const [before = '', ...frames] = shown.slice(0, shown.indexOf(USUAL_SCREEN)).split(HOME);
      expect(before).toContain(ALTERNATE_SCREEN);
      expect(frames.length).toBeGreaterThanOrEqual(2);
      for (const frame of frames) {
        const lines = stripVTControlCharacters(frame).split('\r\n');
        expect(lines.length).toBeLessThanOrEqual(5);
        expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
        expect(lines.at(-2)).toMatch(/^… \d+ more lines$/);
      }
      // The last state stays, and whole.
      expect(shown.slice(shown.indexOf(USUAL_SCREEN))).toMatch(/Master[^]*org_b[^]*No run is at work/);
    },
  );

  test('is a block each round without a terminal, and fails as status does if the first round fails', async () => {
    const fleet = await createFleet(['org_a']);
    const { child, seen } = startWatch(fleet);
    await until(() => Promise.resolve(seen().split('No run is at work.').length > 2), 'two blocks');
    child.kill('SIGTERM');
    const { exitCode, stdout, stderr } = await child.done;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).not.toContain(ESCAPE);
    const options = { cwd: fleet.project.folder, env: { ...fleet.testDatabase.env, DB_PORT: '1' } };
    expect(await tenantctl(['status', '--watch'], options)).toMatchObject({ exitCode: 4, stdout: '' });
    expect(await tenantctl(['status', '--watch', '--check'], options)).toMatchObject({ exitCode: 2 });
    expect(await tenantctl(['status', '--watch', '0'], options)).toMatchObject({ exitCode: 2 });
  });
});
