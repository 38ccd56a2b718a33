/** Arguments of calls, by the command's name. */
export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  init: ['init'],
  doctor: ['doctor', 'doctor --json'],
  'make master': ['make master countries'],
  'make tenant': ['make tenant add_user_preferences', 'make tenant add_index --format sql'],
  'make seed': ['make seed plans', 'make seed plans --format sql'],
  'migrate master': ['migrate master --dry-run', 'migrate master'],
  'migrate tenants': [
    'migrate tenants --dry-run',
    'migrate tenants --tenant org_acme,org_globex',
    'migrate tenants --canary 5 --wave 20% --check checks/logins.sql --max-failures 1%',
    'migrate tenants --retry-failed',
    'migrate tenants --include suspended',
  ],
  'migrate all': ['migrate all --json > result.json'],
  'rollback master': ['rollback master --dry-run', 'rollback master --to countries'],
  'rollback tenants': ['rollback tenants --run 42 --dry-run', 'rollback tenants --run 42'],
  'tenant provision': [
    'tenant provision org_2abc123def456',
    'tenant provision org_a org_b org_c --seed',
    'tenant provision --from organizations.csv',
  ],
  'tenant suspend': ['tenant suspend org_acme', 'tenant suspend org_acme org_globex --dry-run'],
  'tenant resume': ['tenant resume org_acme'],
  'tenant unarchive': [
    'tenant unarchive org_acme --dry-run',
    'tenant unarchive org_acme --file /mnt/backups/org_acme.tar',
  ],
  'tenant restore': [
    'tenant restore backups/org_acme.tar --dry-run',
    'tenant restore backups/org_acme.tar --as org_acme_copy',
    'tenant restore backups/org_acme.tar --replace',
    'tenant restore - --as org_acme_copy',
    'tenant restore org_acme --from "$COPY_OF_YESTERDAY_URL"',
  ],
  'tenant rename': [
    'tenant rename org_acme org_globex',
    'tenant rename org_acme org_globex --with-schema --dry-run',
  ],
  'tenant move': [
    'tenant move org_acme --to worker-2.internal',
    'tenant move org_acme --to worker-2.internal:5433 --dry-run',
  ],
  'fleet balance': [
    'fleet balance --dry-run',
    'fleet balance --by tenants --max-moves 20',
    'fleet balance --drain worker-2.internal',
  ],
  'tenant clone': [
    'tenant clone org_acme org_acme_test',
    'tenant clone org_acme org_demo --mask mask.json --mask-rest keep',
  ],
  'tenant backup': [
    'tenant backup org_acme org_globex',
    'tenant backup --all --out backups',
    'tenant backup org_acme --out - > org_acme.tar',
  ],
  'tenant verify': ['tenant verify backups/*.tar', 'tenant verify backups/org_acme.tar --tenant org_acme'],
  'tenant adopt': ['tenant adopt --dry-run', 'tenant adopt acme=org_acme', 'tenant adopt --map schemas.csv'],
  'tenant drop': [
    'tenant drop org_acme',
    'tenant drop org_acme org_globex --out /var/backups --yes',
    'tenant drop org_acme --forget',
  ],
  'tenant archive': ['tenant archive org_acme', 'tenant archive org_acme --out /var/backups'],
  'seed tenants': [
    'seed tenants --dry-run',
    'seed tenants --only 20260309110000_plans --tenant org_acme,org_globex',
    'seed tenants --only 20260309110000_plans --again',
  ],
  'tenant list': ['tenant list --status FAILED', 'tenant list --json'],
  'tenant show': ['tenant show org_acme', 'tenant show tid_cf4116b064'],
  exec: [
    "exec --sql 'SELECT count(*) FROM org_users'",
    'exec --file report.sql --format csv > report.csv',
    "exec --sql 'SELECT id, email FROM org_users' --tenant org_acme --format jsonl",
    "exec --sql 'SELECT count(*) AS users FROM org_users' --into fleet_users",
    "exec --write --sql 'DELETE FROM sessions' --dry-run",
    'exec --write --file reset.sql --canary 5 --max-failures 1%',
    'exec --write --file reset.sql --resume latest',
    'exec --write --batch --file backfill.sql --rate 5000',
  ],
  drift: ['drift', 'drift --check', 'drift --reference org_acme'],
  'drift show': ['drift show org_acme'],
  'schema dump': ['schema dump --out schema.sql', 'schema dump --check schema.sql'],
  types: ['types --out src/database.ts', 'types --out src/database.ts --check'],
  each: [
    'each -- node scripts/reindex.js',
    'each --tenant org_acme --concurrency 8 --max-failures 1% -- sh -c \'pg_dump -n "$TENANT_SCHEMA" -f "$TENANT_SCHEMA.sql"\'',
  ],
  psql: ['psql org_acme', "psql org_acme -- -c 'TABLE plans'", 'psql org_acme --write -- -f fix.sql'],
  'grant application': ['grant application app', 'grant application app --dry-run > rights.sql'],
  'history accept': [
    'history accept 20251103123430_org_users.js',
    'history accept 20251103123228_init_db --master',
  ],
  'history mark': [
    'history mark --all --tenant org_acme --dry-run',
    'history mark --to 20251103123430_org_users',
    'history mark 20251103123228_init_db --master',
  ],
  resolve: ['resolve org_acme --applied', 'resolve master --retry'],
  runs: ['runs --limit 5'],
  'runs show': ['runs show latest', 'runs show 42 --all'],
  report: ['report --html fleet.html', 'report --html - --no-sizes > fleet.html', 'report --json'],
  status: [
    'status --nodes',
    'status --verbose',
    'status --all',
    'status --check',
    'status --watch',
    'status --watch 5 --json',
  ],
  help: ['help migrate tenants'],
};

export function hasExamples(name: string): boolean {
  return EXAMPLES[name] !== undefined;
}

/** Help text with the examples of a command, or with the first of each command of a group. */
export function examplesOf(name: string): string {
  const ofGroup = Object.entries(EXAMPLES).flatMap(([each, [first]]) =>
    each.startsWith(`${name} `) && first !== undefined ? [first] : [],
  );
  const lines = EXAMPLES[name] ?? ofGroup;
  const title = lines.length === 1 ? 'Example' : 'Examples';
  return `\n${title}:${lines.map((line) => `\n  tenantctl ${line}`).join('')}`;
}
