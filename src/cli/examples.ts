export const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  init: ['init'],
  doctor: ['doctor', 'doctor --json'],
  'make master': ['make master countries'],
  'make tenant': ['make tenant add_user_preferences', 'make tenant add_index --format sql'],
  'migrate master': ['migrate master --dry-run', 'migrate master'],
  'migrate tenants': [
    'migrate tenants --dry-run',
    'migrate tenants --tenant org_acme org_globex',
    'migrate tenants --canary 5 --wave 20% --check checks/logins.sql --max-failures 1%',
    'migrate tenants --retry-failed',
  ],
  'migrate all': ['migrate all --json > result.json'],
  'rollback master': ['rollback master --dry-run', 'rollback master --to countries'],
  'rollback tenants': ['rollback tenants --run 42 --dry-run', 'rollback tenants --run 42'],
  'tenant provision': ['tenant provision org_2abc123def456', 'tenant provision org_a org_b org_c'],
  'tenant list': ['tenant list --status FAILED', 'tenant list --json'],
  'tenant show': ['tenant show org_acme', 'tenant show tid_cf4116b064'],
  exec: [
    "exec --sql 'SELECT count(*) FROM org_users'",
    'exec --file report.sql --format csv > report.csv',
    "exec --sql 'SELECT id, email FROM org_users' --tenant org_acme --format jsonl",
  ],
  resolve: ['resolve org_acme --applied', 'resolve master --retry'],
  runs: ['runs --limit 5'],
  'runs show': ['runs show 42 --all'],
  status: ['status --all', 'status --check'],
};

/** Help text with a command's examples; empty if there are none. */
export function examplesOf(name: string): string {
  const lines = EXAMPLES[name] ?? [];
  const title = lines.length === 1 ? 'Example' : 'Examples';
  return lines.length === 0 ? '' : `\n${title}:${lines.map((line) => `\n  tenantctl ${line}`).join('')}`;
}
