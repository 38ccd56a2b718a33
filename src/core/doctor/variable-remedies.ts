/** What to set each variable to, with an example. */
const FORMS: Readonly<Record<string, string>> = {
  DATABASE_URL: 'Set DATABASE_URL=postgres://user:password@host:5432/database',
  DB_DIRECT_URL: 'Set DB_DIRECT_URL=postgres://user:password@host:5432/database, of PostgreSQL itself',
  DB_HOST: 'Set DB_HOST=localhost, or whatever the server is called',
  DB_PORT: 'Set DB_PORT=5432, or the port that the server listens on',
  DB_USER: 'Set DB_USER to the role that runs the migrations',
  DB_NAME: 'Set DB_NAME to the name of the database',
  DB_SSL: 'Set DB_SSL=true or DB_SSL=false',
  DB_SSL_REJECT_UNAUTHORIZED: 'Set DB_SSL_REJECT_UNAUTHORIZED=true',
  DB_SSL_CERT_PATH:
    "For Amazon RDS: mkdir -p ssl && curl -o ssl/rds-ca-2019-root.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem and set DB_SSL_CERT_PATH=ssl/rds-ca-2019-root.pem; elsewhere set it to the PEM file of the authority that signed the server's certificate",
  DB_SSL_CLIENT_CERT_PATH: "Set DB_SSL_CLIENT_CERT_PATH to the PEM file of the client's certificate",
  DB_SSL_CLIENT_KEY_PATH:
    "Set DB_SSL_CLIENT_KEY_PATH to the PEM file of the client's private key, without a passphrase",
  DB_EMBEDDED: 'Set DB_EMBEDDED=.tenantctl/embedded, or another folder',
  REGISTRY_TABLE: 'Set REGISTRY_TABLE=public.tenants, or the name of your table with its schema',
  REGISTRY_COLUMNS:
    'Set REGISTRY_COLUMNS=organization=clerk_org_id,schema=schema_name,status=status, each with the name of your column; created and updated may be added',
  REGISTRY_STATUSES:
    'Set REGISTRY_STATUSES=ACTIVE=live|trial,SUSPENDED=paused, say: each of PROVISIONING, ACTIVE, FAILED, SUSPENDED, ARCHIVED with its values, the one to write first',
  MASTER_HISTORY_TABLE:
    "Set MASTER_HISTORY_TABLE to the name of Knex's table in public, without a schema: knex_migrations, say",
  TENANT_HISTORY_TABLE:
    "Set TENANT_HISTORY_TABLE to the name of Knex's table in each tenant schema, without a schema: knex_migrations, say",
  TENANT_SCHEMA_PREFIX: 'Set TENANT_SCHEMA_PREFIX=tid_, or another beginning of at most 53 bytes',
  VECTOR_EXTENSION: 'Set VECTOR_EXTENSION=auto, require or off',
  TENANT_ROLE:
    "Set TENANT_ROLE='{schema}_owner', which gives each tenant a role of its own, or the name of one role for all",
  CONNECT_TIMEOUT_MS: 'Set CONNECT_TIMEOUT_MS=10000, in milliseconds',
  LOCK_TIMEOUT_MS: 'Set LOCK_TIMEOUT_MS=5000, in milliseconds',
  STATEMENT_TIMEOUT_MS: 'Set STATEMENT_TIMEOUT_MS=60000, in milliseconds',
  RETRIES: 'Set RETRIES=6, or another number from 0 to 100',
  RUNS_KEEP: 'Set RUNS_KEEP=100, or another number from 1 to 10000',
  LOCK_WAIT_TIMEOUT_MS: 'Set LOCK_WAIT_TIMEOUT_MS=60000, in milliseconds',
};

const ONE_OF_THE_DATABASE = /^DB_(HOST|USER|NAME)$/;

/** What to do about a problem with a variable. Pure. */
export function remedyForProblem(variable: string, message: string): string {
  const rivals = /is set together with (.+): choose/.exec(message)?.[1];
  if (rivals !== undefined) return `Remove ${variable}, or remove ${rivals}.`;
  if (variable === 'DATABASE_URL' || variable === 'DB_DIRECT_URL') {
    const twice = /has an sslmode, and (.+) is set too/.exec(message)?.[1];
    if (twice !== undefined)
      return `Remove sslmode from ${variable} and set DB_SSL=true; or remove ${twice}.`;
    if (message.includes('sslmode=')) return `Write sslmode=verify-full (or disable) in ${variable}.`;
    if (message.includes('parameters')) return `Remove those parameters from ${variable}.`;
    if (/%2\w/.test(message))
      return `In the password of ${variable} write % as %25, / as %2F, ? as %3F, # as %23, @ as %40.`;
  }
  const form = FORMS[variable] ?? `Correct ${variable}`;
  return ONE_OF_THE_DATABASE.test(variable)
    ? `${form}, in the environment or in .env (tenantctl init writes .env.example). Without a server: add --embedded.`
    : `${form}.`;
}

/** What to do about a setting that works but is not safe. Pure. */
export function remedyForWarning(variable: string): string {
  switch (variable) {
    case 'DATABASE_URL':
    case 'DB_DIRECT_URL':
      return `Remove those parameters from ${variable}.`;
    case 'DB_SSL_CERT_PATH':
      return 'Set DB_SSL=true.';
    case 'DB_SSL_REJECT_UNAUTHORIZED':
      return `Set DB_SSL_REJECT_UNAUTHORIZED=true. ${FORMS.DB_SSL_CERT_PATH}.`;
    default:
      return `${FORMS[variable] ?? `Correct ${variable}`}.`;
  }
}
