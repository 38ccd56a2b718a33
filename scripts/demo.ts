import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAMED, NAMELESS, runSql } from './demo/data.ts';
import { CHECK, NAMES_REQUIRED, USER_PREFERENCES } from './demo/migrations.ts';
import { searchMessages } from './demo/similarity.ts';
import { CommandFailed, openStage, type Stage } from './demo/stage.ts';

// The main job of tenantctl, by its real commands, on the embedded database. Everything happens in .demo/.
const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, '.demo');
const DATABASE = join(FOLDER, '.tenantctl', 'embedded');
/** The number of the run that retries: master, provision, migrate and migrate came before it. */
const RETRY = 5;
const TENANTS = ['default_tenant', 'org_acme', 'org_globex'];

async function main(): Promise<void> {
  const started = Date.now();
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER);
  const stage = openStage({ folder: FOLDER, program: join(ROOT, 'bin', 'tenantctl.js'), steps: 13 });
  stage.open(
    'tenantctl: one schema per customer, from an empty folder to a migrated fleet',
    'It runs on an embedded PostgreSQL with pgvector. No server, and nothing outside the folder .demo/.',
  );
  try {
    await startProject(stage);
    await makeTenants(stage);
    await changeTheFleet(stage);
    await meetAFailure(stage);
    await lookAtIt(stage);
    sayWhatIsNext(stage, Date.now() - started);
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error;
    stage.fail(error.message);
    process.exitCode = error.exitCode;
  }
}

async function startProject(stage: Stage): Promise<void> {
  stage.step('An empty folder becomes a project. Nothing that exists is ever overwritten.');
  await stage.tenantctl('init');

  stage.step('The reference migrations join it: master/ runs once, tenants/ runs in every tenant schema.');
  stage.command('cp -r ../migrations .');
  await cp(join(ROOT, 'migrations'), join(FOLDER, 'migrations'), { recursive: true });
  stage.done(await migrationsOf('master', 'tenants'));

  stage.step('The schema public gets the registry of tenants and the shared tables.');
  await stage.tenantctl('--embedded migrate master');
}

async function makeTenants(stage: Stage): Promise<void> {
  stage.step('Three organizations become tenants: a schema each, migrated, registered, ACTIVE.');
  await stage.tenantctl(`--embedded tenant provision ${TENANTS.join(' ')}`);
}

async function changeTheFleet(stage: Stage): Promise<void> {
  stage.step('The product grows: every tenant needs a table of preferences. One file defines it.');
  await makeMigration(stage, 'add_user_preferences', USER_PREFERENCES);

  stage.step('What would it do? A rehearsal in a transaction that is rolled back shows the SQL.');
  await stage.tenantctl('--embedded migrate tenants --dry-run');

  stage.step('Carefully: one canary first. The others follow only if the check passes for it.');
  await mkdir(join(FOLDER, 'checks'));
  await writeFile(join(FOLDER, 'checks', 'themes.sql'), CHECK);
  stage.quote('checks/themes.sql:', CHECK);
  await stage.tenantctl('--embedded migrate tenants --canary org_acme --check checks/themes.sql');
}

async function meetAFailure(stage: Stage): Promise<void> {
  stage.step('One tenant fails: org_globex has a user without a name. The others are migrated all the same.');
  await makeMigration(stage, 'require_names', NAMES_REQUIRED);
  stage.quote('The application has written into org_globex:', NAMELESS);
  await runSql(DATABASE, NAMELESS);
  await stage.tenantctl('--embedded migrate tenants', 1);

  stage.step('Its transaction was rolled back, so it is as it was. Mend its data, and retry what failed.');
  stage.quote('The application, or you by psql:', NAMED);
  await runSql(DATABASE, NAMED);
  await stage.tenantctl('--embedded migrate tenants --retry-failed');

  stage.step('Each command was recorded as a run: what it did, and to how many tenants.');
  await stage.tenantctl('--embedded runs');

  stage.step('A run can be undone, and only that run: the retry changed org_globex alone.');
  await stage.tenantctl(`--embedded rollback tenants --run ${RETRY}`);
}

async function lookAtIt(stage: Stage): Promise<void> {
  stage.step('Where does the fleet stand? With --check it exits with 6 if anything is pending: made for CI.');
  await stage.tenantctl('--embedded status --all --check', 6);

  stage.step('And what the tables are for: messages nearest in meaning, by pgvector, within one tenant.');
  const { question, sql, nearest } = await searchMessages(DATABASE);
  stage.quote(`"${question}" (toy embeddings: words, counted)`, sql);
  stage.done(nearest);
}

function sayWhatIsNext(stage: Stage, milliseconds: number): void {
  stage.close(`Done in ${(milliseconds / 1000).toFixed(1)} s. The folder .demo/ is yours to play with:`, [
    ['cd .demo', ''],
    [`alias tenantctl='../node_modules/.bin/node ../bin/tenantctl.js'`, ''],
    ['tenantctl --embedded migrate tenants', 'org_globex follows again'],
    ['tenantctl --embedded tenant provision org_initech', 'one more tenant'],
    ['tenantctl --embedded tenant show org_globex', 'one tenant with its history'],
    ['tenantctl --help', ''],
  ]);
  stage.close('With a server of your own, the same commands without --embedded:', [
    ['cp .env.example .env', 'then fill in DB_HOST, DB_USER, DB_PASSWORD, DB_NAME'],
    ['tenantctl doctor', 'is everything ready? a remedy for each finding'],
    ['tenantctl migrate master', ''],
    ['tenantctl tenant provision default_tenant', ''],
  ]);
}

/** Has `make tenant` write a file, and fills it in. */
async function makeMigration(stage: Stage, name: string, text: string): Promise<void> {
  await stage.tenantctl(`make tenant ${name}`);
  const file = (await migrationsOf('tenants')).find((path) => path.includes(name));
  if (file === undefined) throw new CommandFailed('make tenant has left no file.', 1);
  await writeFile(join(FOLDER, file), text);
  stage.quote(`${file}, filled in:`, text);
}

/** The migration files of these folders, relative to the demo's own. */
async function migrationsOf(...scopes: ('master' | 'tenants')[]): Promise<string[]> {
  const lists = scopes.map(async (scope) => {
    const names = await readdir(join(FOLDER, 'migrations', scope));
    return names
      .filter((name) => name.endsWith('.ts'))
      .toSorted()
      .map((name) => `migrations/${scope}/${name}`);
  });
  return (await Promise.all(lists)).flat();
}

await main();
