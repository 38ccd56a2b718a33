import { mkdtemp, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { schemaNameFor } from '../../src/core/registry/schema-name.ts';
import { startCli, tenantctl } from '../support/cli.ts';
import { createEmbeddedDatabase } from '../support/database.ts';
import { createFleet, type TestFleet } from '../support/fleet.ts';
import { until } from '../support/gate.ts';
import { noPsql } from '../support/needs-psql.ts';
import { noTerminal, tenantctlOnTerminal } from '../support/terminal.ts';

const SECRET = 'canary-5f3b';
const called = ({ project, testDatabase }: TestFleet) => ({
  cwd: project.folder,
  env: { ...testDatabase.env, DB_PASSWORD: SECRET },
});

/** A schema whose name needs care in a search path and in PGOPTIONS. */
const ODD = `we ird\\ "q" 'x',public\t-c`;

describe('psql', () => {
  beforeEach(({ skip }) => skip(noPsql !== undefined, noPsql));

  test('opens in the schema of the tenant, read only unless --write, and passes arguments and exit code on', async () => {
    const fleet = await createFleet(['org_a']);
    await fleet.query(`CREATE SCHEMA "${ODD.replaceAll('"', '""')}";
      INSERT INTO tenants (clerk_org_id, schema_name, status) VALUES ('odd', $odd$${ODD}$odd$, 'SUSPENDED')`);
    const psql = (...args: string[]) => tenantctl(['psql', ...args], called(fleet));
    const look = `SELECT current_schema(), current_schemas(false) = ARRAY[current_schema(), 'public'], current_setting('transaction_read_only')`;

    const own = await psql('org_a', '--', '-Atc', look);
    expect(own).toMatchObject({ exitCode: 0, stdout: `${schemaNameFor('org_a')}|t|on\n`, stderr: '' });
    const odd = await psql('odd', '--', '-Atc', look);
    expect(odd).toMatchObject({ exitCode: 0, stdout: `${ODD}|t|on\n` });
    expect(odd.stderr).toContain('The tenant "odd" is SUSPENDED.');

    const insert = 'INSERT INTO notes VALUES (1)';
    const refused = await psql('org_a', '--', '-c', insert);
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('read-only transaction') });
    expect(await psql(schemaNameFor('org_a'), '--write', '--', '-qc', insert)).toMatchObject({ exitCode: 0 });
    expect(await fleet.query(`SELECT count(*)::int AS n FROM ${schemaNameFor('org_a')}.notes`)).toEqual([
      { n: 1 },
    ]);
    await fleet.project.write('bad.sql', 'SELECT 1/0;');
    expect((await psql('org_a', '--', '-v', 'ON_ERROR_STOP=1', '-f', 'bad.sql')).exitCode).toBe(3);

    // The password is in its environment, and not in its arguments. Nothing leads to another server.
    const shown = await tenantctl(
      ['psql', 'org_a', '--', '-At', '-c', `\\! tr '\\0' ' ' < /proc/$PPID/cmdline; echo "$PGPASSWORD"`],
      { ...called(fleet), env: { ...called(fleet).env, PGHOSTADDR: '192.0.2.1', PGSERVICE: 'nowhere' } },
    );
    expect(shown.exitCode).toBe(0);
    expect(shown.stdout.split(SECRET)).toHaveLength(2);
    expect(shown.stdout.trimEnd().endsWith(SECRET)).toBe(true);
  });

  /** Psql waits for the answer to `SELECT pg_sleep(600)`. */
  const sleeps = ({ query }: TestFleet) =>
    until(async () => {
      const asleep = await query(
        `SELECT FROM pg_stat_activity
         WHERE query LIKE 'SELECT pg_sleep(600)%' AND wait_event = 'PgSleep' AND datname = current_database()`,
      );
      return asleep.length === 1;
    }, 'psql to be at work');

  test('a signal goes to psql, whose end is that of tenantctl', async () => {
    const fleet = await createFleet(['org_a']);
    for (const [signal, exitCode] of [
      ['SIGINT', 1],
      ['SIGTERM', 143],
    ] as const) {
      const child = startCli(['psql', 'org_a', '--', '-c', 'SELECT pg_sleep(600)'], called(fleet));
      await sleeps(fleet);
      child.kill(signal);
      const { exitCode: ended, stderr } = await child.done;
      expect({ signal, ended }).toEqual({ signal, ended: exitCode });
      expect(stderr.includes('canceling statement due to user request')).toBe(signal === 'SIGINT');
    }
  });

  test('Ctrl-C cancels the statement, and the prompt with the tenant comes back', async ({ skip }) => {
    skip(noTerminal !== undefined, noTerminal);
    const fleet = await createFleet(['100% org']);
    const { exitCode, shown } = await tenantctlOnTerminal(
      ['psql', '100% org', '--', '-X', '-P', 'pager=off'],
      {
        ...called(fleet),
        typed: [
          { after: /100% org \(read only\)=[#>] /, text: 'SELECT pg_sleep(600);\n' },
          { after: /pg_sleep\(600\);\r?\n/, once: () => sleeps(fleet), text: '\u0003' },
          { after: /canceling statement/, text: '\\echo still here\n' },
          { after: /still here[^]*still here/, text: '\\q\n' },
        ],
      },
    );
    expect(shown).toMatch(/still here[^]*still here/);
    expect(exitCode).toBe(0);
  });
});

test('psql refuses tenants that it cannot open, the embedded database, and --json; a missing psql has a remedy', async () => {
  const fleet = await createFleet(['org_a', 'org_b']);
  await fleet.query(`DROP SCHEMA ${schemaNameFor('org_b')} CASCADE`);
  const nothing = await mkdtemp(join(tmpdir(), 'tenantctl-nothing-'));
  await symlink(process.execPath, join(nothing, 'node'));
  const embedded = await createEmbeddedDatabase();
  const run = (args: readonly string[], env = {}) =>
    tenantctl(['psql', ...args], { ...called(fleet), env: { ...called(fleet).env, ...env } });
  const withoutServer = { cwd: fleet.project.folder, env: embedded.env };

  const results = [
    await run(['org_x'], noPsql === undefined ? {} : { PATH: nothing }),
    await run(['org_b']),
    await run(['org_a'], { PATH: nothing }),
    await run(['org_a', '--json']),
    await run(['org_a', '-c', 'SELECT 1']),
    await tenantctl(['psql', 'org_a'], withoutServer),
    await tenantctl(['each', '--', 'node', '--version'], withoutServer),
  ];

  const missing = [3, 'postgresql-client'] as const;
  for (const [at, [exitCode, text]] of [
    noPsql === undefined ? ([1, 'no tenant "org_x"'] as const) : missing,
    noPsql === undefined ? ([1, 'does not exist'] as const) : missing,
    missing,
    [2, ''] as const,
    [2, 'Arguments of the program follow --'] as const,
    [2, `tenantctl exec --tenant org_a --sql 'SELECT ...'`] as const,
    [2, 'embedded'] as const,
  ].entries())
    expect(results[at]).toMatchObject({ exitCode, stderr: expect.stringContaining(text) });
});
