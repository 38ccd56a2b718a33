import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, escapeLiteral } from 'pg';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Command } from 'commander';
import { createProgram } from '../../src/cli/program.ts';
import { VARIABLES } from '../../src/config/variables.ts';
import { startCaller, type Answer, type Caller } from '../support/call-many.ts';
import { tenantctl } from '../support/cli.ts';
import { CANARY, FRAGMENT, leakyMigration, leakyModule, LEAKS, STRAY } from '../support/leaks.ts';
import { noPsql } from '../support/needs-psql.ts';
import { startPostgres, type PostgresServer } from '../support/postgres-programs.ts';
import {
  createStandingProject,
  createTable,
  USUAL_FILES,
  usualProject,
  type TestProject,
} from '../support/project.ts';

const USER = 'owner';
const DATABASE = 'guarded';

/** A server that asks for the canary. */
let server: PostgresServer;
let superuser: Client;
let caller: Caller;

beforeAll(async () => {
  server = await startPostgres({
    hba: ['local all all trust', 'host all all all scram-sha-256'],
  });
  caller = startCaller();
  superuser = new Client({
    host: server.directory,
    port: server.port,
    user: 'postgres',
    database: 'postgres',
  });
  await superuser.connect();
  await superuser.query(`CREATE ROLE ${USER} LOGIN PASSWORD ${escapeLiteral(CANARY)}`);
});

afterAll(async () => {
  await caller.close();
  await superuser.end();
  await server.stop();
});

/** Makes a database anew, as a copy of another one. */
async function makeDatabase(name: string, template: string): Promise<void> {
  await superuser.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
  await superuser.query(`CREATE DATABASE ${name} OWNER ${USER} TEMPLATE ${template} STRATEGY file_copy`);
}

beforeEach(() => makeDatabase(DATABASE, 'template1'));

/** Arguments with which each command does something; a new command has to be named here. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  init: [],
  doctor: [],
  'make master': ['notes'],
  'make tenant': ['notes'],
  'make seed': ['notes'],
  'migrate master': [],
  'migrate tenants': [],
  'migrate all': [],
  'rollback master': ['--dry-run'],
  'rollback tenants': ['--dry-run'],
  'tenant provision': ['org_a', 'org_b'],
  'seed tenants': ['--dry-run'],
  'tenant list': [],
  'tenant show': ['org_a'],
  'tenant suspend': ['org_a'],
  'tenant resume': ['org_a'],
  'grant application': ['no_role'],
  status: ['--all'],
  report: ['--html', 'report.html'],
  runs: [],
  'runs show': ['1'],
  resolve: ['org_a', '--retry'],
  exec: ['--sql', 'SELECT 1'],
  each: ['--', 'true'],
  psql: ['org_a', '--', '-qc', 'RESET ALL'],
  types: ['--tenant', 'org_a'],
  'history accept': ['20250101000001_notes.sql'],
  'history mark': ['--all', '--dry-run'],
  'drift show': ['org_a'],
  'schema dump': [],
  'tenant adopt': ['--dry-run'],
  'tenant backup': ['org_a', '--out', 'backups'],
  'tenant verify': ['absent.tar', '--tenant', 'org_a'],
  'tenant restore': ['absent.tar', '--as', 'org_restored'],
  'tenant clone': ['org_a', 'org_clone'],
  'tenant rename': ['org_clone', 'org_renamed', '--with-schema'],
  'tenant move': ['org_renamed', '--to', 'worker'],
  'fleet balance': [],
  'tenant archive': ['org_renamed', '--yes'],
  'tenant unarchive': ['org_renamed'],
  'tenant drop': ['org_renamed', '--yes'],
};

function leavesOf(command: Command, path: readonly string[] = []): string[] {
  const commands = command
    .createHelp()
    .visibleCommands(command)
    .filter((each) => each.name() !== 'help');
  const below = commands.flatMap((each) => leavesOf(each, [...path, each.name()]));
  return path.length > 0 && (command.commands.length === 0 || path.join(' ') === 'runs')
    ? [path.join(' '), ...below]
    : below;
}

const COMMANDS = leavesOf(createProgram('', () => Promise.resolve()));

const parts = (password = CANARY) => ({
  DB_HOST: '127.0.0.1',
  DB_PORT: String(server.port),
  DB_USER: USER,
  DB_NAME: DATABASE,
  ...(password !== '' && { DB_PASSWORD: password }),
});
const url = (password = encodeURIComponent(CANARY), at = `127.0.0.1:${server.port}`) => ({
  DATABASE_URL: `postgres://${USER}:${password}@${at}/${DATABASE}`,
});

type Variables = Readonly<Record<string, string>>;

/** Ways to give the password, which all work. */
const WAYS: Readonly<Record<string, () => Variables>> = {
  DB_PASSWORD: () => parts(),
  DATABASE_URL: () => url(),
  'DATABASE_URL, written with lower-case escapes': () =>
    url(encodeURIComponent(CANARY).replaceAll(/%../g, (escape) => escape.toLowerCase())),
  PGPASSWORD: () => ({ ...parts(''), PGPASSWORD: CANARY }),
  ...(VARIABLES.includes('DB_DIRECT_URL') && {
    DB_DIRECT_URL: () => ({ ...parts(), DB_DIRECT_URL: url().DATABASE_URL }),
  }),
};

/** Ways to fail before anything is done. */
const FAILURES: Readonly<Record<string, () => Variables>> = {
  'a password that is wrong': () => parts(`${CANARY}!`),
  'a URL whose password is wrong': () => url(`${encodeURIComponent(CANARY)}!`),
  'nobody listens': () => ({ ...parts(), DB_PORT: '1' }),
  'no such database': () => ({ ...parts(), DB_NAME: 'nowhere' }),
  'no TLS': () => ({ ...parts(), DB_SSL: 'true' }),
  'a broken variable': () => ({ ...parts(), DB_PORT: `5432 DB_PASSWORD=${FRAGMENT}-x`, DB_SSL: 'x' }),
  'a URL as the host': () => ({ ...parts(), DB_HOST: url().DATABASE_URL }),
  'half a URL as the host': () => ({ ...parts(), DB_HOST: `${USER}:${FRAGMENT}-x@127.0.0.1` }),
  'a URL as a folder': () => ({ ...parts(), MASTER_MIGRATIONS_DIR: url().DATABASE_URL }),
  'a key as the path of one': () => ({
    ...parts(),
    DB_SSL: 'true',
    DB_SSL_CLIENT_CERT_PATH: 'x.crt',
    DB_SSL_CLIENT_KEY_PATH: `-----BEGIN PRIVATE KEY-----\n${FRAGMENT}\n-----END PRIVATE KEY-----`,
  }),
  'a URL without a host': () => ({ DATABASE_URL: `postgres://${USER}:${FRAGMENT}-x@/${DATABASE}` }),
  'a URL of one slash': () => ({ DATABASE_URL: `postgres:/${USER}:${FRAGMENT}-x@h/d` }),
  'a URL of another kind': () => ({ DATABASE_URL: `mysql://${USER}:${FRAGMENT}-x@h/d` }),
  'a password that is not encoded': () => url(CANARY),
  'a password as a parameter of the URL': () => ({
    DATABASE_URL: `postgres://${USER}@127.0.0.1:${server.port}/${DATABASE}?password=${encodeURIComponent(CANARY)}`,
  }),
  'a slash in the password': () => url(`${FRAGMENT}/x`),
  'a percent sign in the password': () => url(`${FRAGMENT}%x`),
  'a port out of range': () => url(undefined, '127.0.0.1:99999'),
};

/** Calls commands, told to people and as a document in turn; always with all that --verbose has to add. */
async function callAll(
  project: TestProject,
  commands: readonly string[],
  env: Variables,
  turn: number,
): Promise<(Answer & { readonly command: string })[]> {
  const calls = commands.map((command, index) => ({
    cwd: project.folder,
    env,
    args: [
      ...command.split(' '),
      '--verbose',
      ...((turn + index) % 2 === 0 || command === 'psql' ? [] : ['--json']),
      ...(ARGUMENTS[command] ?? []),
    ],
  }));
  return (await caller.call(calls)).map((answer, at) => ({ ...answer, command: commands[at] ?? '' }));
}

/** Everything in the database that is not the catalog's. */
async function rowsOf(): Promise<string> {
  const client = new Client({
    host: server.directory,
    port: server.port,
    user: 'postgres',
    database: DATABASE,
  });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
       WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
    );
    const contents: unknown[] = [];
    for (const { name } of rows) contents.push((await client.query(`SELECT t::text FROM ${name} t`)).rows);
    return JSON.stringify(contents);
  } finally {
    await client.end();
  }
}

/** The answers that give the password away. */
const telling = (answers: readonly Answer[]) => answers.filter(({ said }) => said.includes(FRAGMENT));

test('every command is in the matrix', () => {
  expect(COMMANDS.toSorted()).toEqual(Object.keys(ARGUMENTS).toSorted());
});

describe('no command shows the password', () => {
  test.for(Object.keys(WAYS))('when it works, with the password given as %s', async (way) => {
    const project = await usualProject();
    const env = WAYS[way]?.() ?? {};
    const commands = COMMANDS.filter((name) => !name.startsWith('make') && !(name === 'psql' && noPsql));
    const answers = await callAll(project, commands, env, way.length);
    expect(telling(answers)).toEqual([]);
    expect(answers.filter(({ exitCode }) => exitCode > 1)).toEqual([]);
    const rows = await rowsOf();
    expect(rows).toContain('org_a');
    expect(rows).not.toContain(FRAGMENT);
  });

  test.for(Object.keys(FAILURES))('when it cannot start: %s', async (failure) => {
    const project = await usualProject();
    const env = FAILURES[failure]?.() ?? {};
    const answers = await callAll(project, COMMANDS, env, failure.length);
    expect(telling(answers)).toEqual([]);
    const needy = answers.filter(({ command }) => !/^(?:init|make|runs show)/.test(command));
    expect(needy.filter(({ exitCode }) => ![1, 3, 4].includes(exitCode))).toEqual([]);
  });

  test('when .env has an unclosed quote or a continued line', async () => {
    const project = await usualProject();
    const files = [
      `DB_PORT='5432\nDB_HOST=h\nDB_USER=u\nDB_PASSWORD=${FRAGMENT}'x\nDB_NAME=d\n`,
      `DB_HOST=h DB_PASSWORD=${FRAGMENT}-x\nDB_PORT=y DB_PASSWORD=${FRAGMENT}-x\n`,
      `DB_SSL="true\nDB_PASSWORD=${FRAGMENT}-x\n"\nDB_HOST=h\nDB_USER=u\nDB_NAME=d\n`,
    ];
    for (const [turn, text] of files.entries()) {
      await project.write('.env', text);
      expect(telling(await callAll(project, ['status', 'doctor'], {}, turn))).toEqual([]);
    }
  });

  test('when the password is passed as an argument by mistake', async () => {
    const project = await usualProject();
    const secret = `postgres://u:${FRAGMENT}-x@h/d`;
    const mistakes = [
      ['status', secret],
      ['migrate', secret],
      ['--embed', secret],
      ['tenant', 'show', secret],
      ['migrate', 'tenants', '--concurrency', secret],
      ['migrate', 'tenants', '--to', secret],
      ['migrate', 'tenants', '--tenant', secret],
      ['migrate', 'tenants', '--check', secret],
      ['make', 'tenant', secret],
      ['status', '--dotenv', secret],
      ['tenant', 'restore', 'org_a', '--from', secret],
      ['tenant', 'restore', secret],
    ];
    const calls = mistakes.map((args) => ({
      args: [...args, '--verbose'],
      cwd: project.folder,
      env: parts(),
    }));
    const answers = await caller.call(calls);
    expect(telling(answers)).toEqual([]);
    expect(answers.map(({ exitCode }, at) => (exitCode === 0 ? mistakes[at] : [])).flat()).toEqual([]);
  });
});

describe('the password is masked where a migration exposes it', () => {
  const LED = 'with_tenant';

  beforeAll(async () => {
    const project = await createStandingProject(USUAL_FILES);
    await makeDatabase(DATABASE, 'template1');
    const calls = [
      ['migrate', 'master'],
      ['tenant', 'provision', 'org_a'],
    ].map((args) => ({ args, cwd: project.folder, env: parts() }));
    for (const { exitCode, said } of await caller.call(calls)) if (exitCode !== 0) throw new Error(said);
    await makeDatabase(LED, DATABASE);
    await rm(project.folder, { recursive: true });
  });

  /** A tenant, and a migration before it. */
  async function leaking(text: string): Promise<TestProject> {
    const project = await usualProject();
    await makeDatabase(DATABASE, LED);
    await project.write('migrations/tenants/20250101000003_leak.mjs', text);
    return project;
  }

  const awaited = Object.entries(LEAKS).filter(([name]) => !STRAY.includes(name));

  test.for([
    ...awaited.map(([name, body]) => [name, leakyMigration(body)] as const),
    ['throws when it is loaded', leakyModule()] as const,
  ])('that %s', async ([, text]) => {
    const project = await leaking(text);
    const all = [
      ['migrate', 'tenants'],
      ['migrate', 'tenants', '--json'],
      ['migrate', 'tenants', '--dry-run'],
      ['tenant', 'provision', 'org_b'],
      ['tenant', 'show', 'org_a', '--json'],
      ['status', '--all'],
      ['report', '--html', '-'],
      ['runs', 'show', '3'],
      ['doctor', '--json'],
    ];

    const answers = await caller.call(
      all.map((args) => ({ args: [...args, '--verbose'], cwd: project.folder, env: parts() })),
    );

    expect(telling(answers)).toEqual([]);
    expect(answers.slice(0, 2).map(({ exitCode }) => exitCode)).toEqual([1, 1]);
    expect(await rowsOf()).not.toContain(FRAGMENT);
  });

  test.for(STRAY)('that %s', async (name) => {
    const project = await leaking(leakyMigration(LEAKS[name] ?? ''));
    for (const form of ['--no-color', '--json']) {
      const result = await tenantctl(['migrate', 'tenants', '--verbose', form], {
        cwd: project.folder,
        env: parts(),
      });
      expect(result.exitCode).toBe(1);
      expect(result.stdout + result.stderr).toContain('***');
      expect(result.stdout + result.stderr).not.toContain(FRAGMENT);
    }
    expect(await rowsOf()).not.toContain(FRAGMENT);
  });
});

test('a password that is an ordinary word is not masked in other texts', async () => {
  const project = await usualProject();
  await superuser.query(`CREATE ROLE postgres2 LOGIN SUPERUSER PASSWORD 'a'`);
  const call = (password: string) => ({
    cwd: project.folder,
    env: { ...parts(password), DB_USER: 'postgres2', DB_NAME: DATABASE },
  });

  const short = await tenantctl(['migrate', 'master', '--json'], call('a'));
  await superuser.query(`ALTER ROLE postgres2 PASSWORD 'notes_table'`);
  await project.write('migrations/tenants/20250101000002_tags.sql', createTable('notes'));
  const word = await tenantctl(['tenant', 'provision', 'org_a'], call('notes_table'));

  expect(short.json()).toMatchObject({ ok: true, applied: ['20250101000000_init_db.sql'] });
  expect(word.stderr).toContain('relation "notes" already exists');
  expect([short, word].map(({ stdout, stderr }) => stdout + stderr).join('')).not.toContain('***');
});

test('the files of init and make contain nothing of the environment', async () => {
  const project = await usualProject();
  await project.remove('migrations');
  for (const args of [['init'], ['make', 'tenant', 'notes']])
    await tenantctl(args, { cwd: project.folder, env: parts() });
  const entries = await readdir(project.folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  expect(files.length).toBeGreaterThan(3);
  expect(texts.join('')).not.toContain(FRAGMENT);
});
