const DROP =
  'tenantctl tenant drop <org> drops a tenant; tenant archive <org> keeps its row; tenant suspend <org> keeps all.';
const CHANGE_STATUS =
  'tenantctl tenant suspend <org> takes a tenant out of use, tenant resume <org> brings it back; tenant archive <org> keeps only a backup.';

const APPLY =
  'tenantctl migrate all applies everything that is pending: the master migrations, then every tenant.';
const UNDO =
  'tenantctl rollback tenants --run <id> undoes exactly one run; tenantctl runs lists them. tenantctl rollback master undoes the last batch of the master schema.';
const UNDOING = ['rollback', 'down', 'undo', 'revert', 'downgrade', 'reset', 'redo', 'fresh', 'refresh'];

/** What people type who know other tools, and what to use instead. Words of one line are separated by commas. */
const INSTEAD: readonly (readonly [words: string, hint: string])[] = [
  [
    'unlock, migrate unlock, force unlock, migrate force unlock, release locks',
    "There is nothing to unlock: a lock ends with its process. tenantctl status names a history that Knex's own lock blocks.",
  ],
  [
    'migrate latest, migrate up, migrate dev, migrate deploy, migrate run, migrate apply, db migrate, db push, db sync, migration run, deploy, apply, upgrade, update, push, sync, latest',
    APPLY,
  ],
  [
    'migrate make, migrate new, migrate create, migrate generate, migrate add, migration create, migration generate, migration add, migration new, make migration, generate, generate migration, create migration, add migration, g migration, revision, makemigrations',
    'tenantctl make tenant <name> writes a migration file for the tenants, tenantctl make master <name> one for the master schema.',
  ],
  ['migrate make tenant', 'Use tenantctl make tenant <name>.'],
  ['migrate make master', 'Use tenantctl make master <name>.'],
  ['provision tenant, create tenant, add tenant', 'Use tenantctl tenant provision <org>.'],
  [
    'migrate rollback, migrate down, migrate undo, migrate revert, migrate reset, db rollback, db reset, migrate redo, migrate fresh, migrate refresh, migration revert, rollback all, rollback last, rollback latest, rollback batch, rollback run, runs undo, runs rollback, runs revert, down, undo, revert, downgrade, reset, redo',
    UNDO,
  ],
  [
    'migrate status, migrate list, migrate current, migrate version, db status, db version, db migrate status, db migrate list, db migrate version, showmigrations, migration list, migration show, current, info, state, pending',
    'tenantctl status shows what is applied and pending.',
  ],
  [
    'log, logs, history list, history show, history log',
    'tenantctl runs lists what earlier commands did; tenantctl runs show <id> shows one run.',
  ],
  ['runs list, runs ls, rollback list', 'tenantctl runs lists the runs.'],
  ['runs #', 'tenantctl runs show <id> shows one run.'],
  ['runs latest, runs last', 'tenantctl runs show latest shows the last run.'],
  ['tenant get, tenant info, tenant describe, tenant view', 'Use tenantctl tenant show <org>.'],
  ['plan, preview, diff, dry run', 'tenantctl migrate all --dry-run shows the SQL that would run.'],
  ['check, ci', 'tenantctl status --check exits with 6 if anything is pending or needs attention.'],
  ['verify, validate', 'tenantctl status --verify reads every history; tenantctl doctor checks everything.'],
  ['health, ping, test, diagnose', 'Use tenantctl doctor.'],
  [
    'retry, runs retry',
    'tenantctl migrate tenants --retry-failed tries the tenants again that failed in the last run.',
  ],
  ['continue', 'Run the same command again: it continues where it stopped.'],
  ['setup, install, bootstrap, scaffold, initialize, initialise', 'Use tenantctl init.'],
  ['query, sql, execute, select', "Use tenantctl exec --sql 'SELECT ...'."],
  [
    'backfill, update rows',
    "Use tenantctl exec --write --batch 'UPDATE ...', or without --batch for SQL that runs once.",
  ],
  ['seeds, seed run, seed all, db seed', 'tenantctl seed tenants runs the seeds that tenants lack.'],
  ['seed make, seed new, seeds make, make seeds', 'Use tenantctl make seed <name>.'],
  [
    'create, add, new tenants, tenant new, tenant add, tenant register, tenant onboard, tenant init, tenant up, onboard, register',
    'tenantctl tenant provision <org> creates a tenant; tenantctl make tenant <name> writes a migration file.',
  ],
  [
    'drop, delete, remove, destroy, rm, deprovision, unprovision, db drop, tenant delete, tenant remove, tenant rm, tenant destroy, tenant deprovision, tenant unprovision, tenant unregister, tenant purge, unregister, delete tenant, drop tenant, remove tenant',
    DROP,
  ],
  [
    'suspend, resume, archive, unarchive, activate, deactivate, enable, disable, tenant activate, tenant deactivate, tenant enable, tenant disable',
    CHANGE_STATUS,
  ],
  [
    'balance, rebalance, fleet rebalance, tenant balance, tenant rebalance, drain, fleet drain, node drain',
    'tenantctl fleet balance evens out the tenants over the nodes of a cluster; with --drain it empties one.',
  ],
  ['version', 'Use tenantctl --version.'],
];

/**
 * What to use for words that name no command, such as ["db", "migrate"], with "#" for a number. The longest known
 * beginning counts, but ["db", "migrate", "undo"] is never answered with how to apply.
 */
export function insteadOf(words: readonly string[]): string | undefined {
  const hints = new Map(INSTEAD.flatMap(([known, hint]) => known.split(', ').map((each) => [each, hint])));
  const beginnings = words.map((_, index) => words.slice(0, words.length - index).join(' '));
  const hint = hints.get(beginnings.find((beginning) => hints.has(beginning)) ?? '');
  return hint === APPLY && words.some((word) => UNDOING.includes(word)) ? UNDO : hint;
}

/** Flags of other tools. */
export const FLAGS_INSTEAD: Readonly<Record<string, string>> = {
  force: 'yes',
  y: 'yes',
  q: 'quiet',
  n: 'dry-run',
  v: 'verbose',
  V: 'version',
  debug: 'verbose',
  env: 'dotenv',
  parallel: 'concurrency',
  jobs: 'concurrency',
  schema: 'tenant',
  org: 'tenant',
  only: 'tenant',
  tenants: 'tenant',
  orgs: 'tenant',
};
