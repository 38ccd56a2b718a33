import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { USER_PREFERENCES } from './demo/migration.ts';
import { searchMessages } from './demo/similarity.ts';
import { CommandFailed, openStage, type Stage } from './demo/stage.ts';

// The main job of tenantctl, by its real commands, on the embedded database. Everything happens in .demo/.
const ROOT = join(import.meta.dirname, '..');
const FOLDER = join(ROOT, '.demo');
const TENANTS = ['default_tenant', 'org_acme', 'org_globex'];

async function main(): Promise<void> {
  const started = Date.now();
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(FOLDER);
  const stage = openStage({ folder: FOLDER, program: join(ROOT, 'bin', 'tenantctl.js'), steps: 10 });
  stage.open(
    'tenantctl: one schema per customer, from an empty folder to a migrated fleet',
    'It runs on an embedded PostgreSQL with pgvector. No server, and nothing outside the folder .demo/.',
  );
  try {
    await startProject(stage);
    await makeTenants(stage);
    await changeTheFleet(stage);
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
  stage.step('The product grows: every tenant needs a table of preferences. One file says so.');
  await stage.tenantctl('make tenant add_user_preferences');
  const file = (await migrationsOf('tenants')).find((path) => path.includes('add_user_preferences'));
  if (file === undefined) throw new CommandFailed('make tenant has left no file.', 1);
  await writeFile(join(FOLDER, file), USER_PREFERENCES);
  stage.quote(`${file}, filled in:`, USER_PREFERENCES);

  stage.step('What would it do? A rehearsal in a transaction that is rolled back shows the SQL.');
  await stage.tenantctl('--embedded migrate tenants --dry-run');

  stage.step('Then in earnest: each tenant in a transaction of its own, history and schema together.');
  await stage.tenantctl('--embedded migrate tenants');
}

async function lookAtIt(stage: Stage): Promise<void> {
  stage.step('Where does the fleet stand? With --check it exits with 6 if anything is pending: made for CI.');
  await stage.tenantctl('--embedded status --all --check');

  stage.step('One tenant close up: its row in the registry, and its history in two batches.');
  await stage.tenantctl('--embedded tenant show default_tenant');

  stage.step('And what the tables are for: messages nearest in meaning, by pgvector, within one tenant.');
  const { question, sql, nearest } = await searchMessages(join(FOLDER, '.tenantctl', 'embedded'));
  stage.quote(`"${question}" (toy embeddings: words, counted)`, sql);
  stage.done(nearest);
}

function sayWhatIsNext(stage: Stage, milliseconds: number): void {
  stage.close(`Done in ${(milliseconds / 1000).toFixed(1)} s. The folder .demo/ is yours to play with:`, [
    ['cd .demo', ''],
    [`alias tenantctl='../node_modules/.bin/node ../bin/tenantctl.js'`, ''],
    ['tenantctl --embedded tenant provision org_initech', 'one more tenant'],
    ['tenantctl --embedded rollback tenants --dry-run', 'what the way back would do'],
    ['tenantctl --embedded rollback tenants', 'the last batch of each tenant, undone'],
    ['tenantctl --help', ''],
  ]);
  stage.close('With a server of your own, the same commands without --embedded:', [
    ['cp .env.example .env', 'then fill in DB_HOST, DB_USER, DB_PASSWORD, DB_NAME'],
    ['tenantctl doctor', 'is everything ready? a remedy for each finding'],
    ['tenantctl migrate master', ''],
    ['tenantctl tenant provision default_tenant', ''],
  ]);
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
