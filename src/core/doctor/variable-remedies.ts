/** `remedy` overrides the variable's usual remedy. */
export interface VariableProblem {
  readonly variable: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

const URL = 'postgres://user:password@host:5432/database';
const ESCAPES = 'in the password write % as %25, / as %2F, ? as %3F, # as %23, @ as %40';
const WHERE =
  ', in the environment or in .env (tenantctl init writes .env.example). Without a server: add --embedded';

/** Completes "Set <variable>". */
const USUAL: Readonly<Record<string, string>> = {
  DATABASE_URL: `=${URL}; ${ESCAPES}`,
  DB_DIRECT_URL: `=${URL}, the address of PostgreSQL itself; ${ESCAPES}`,
  DB_HOST: `=localhost, or the name of the server${WHERE}`,
  DB_PORT: '=5432, or the port that the server listens on',
  DB_USER: ` to the role that runs the migrations${WHERE}`,
  DB_NAME: ` to the name of the database${WHERE}`,
  DB_SSL: '=true or DB_SSL=false',
  DB_SSL_REJECT_UNAUTHORIZED:
    "=true, and DB_SSL_CERT_PATH to the PEM file of the authority that signed the server's certificate",
  DB_SSL_CERT_PATH:
    "=ssl/rds-global-bundle.pem for Amazon RDS, after mkdir -p ssl && curl -o ssl/rds-global-bundle.pem https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem; elsewhere to the PEM file of the authority that signed the server's certificate",
  DB_SSL_CLIENT_CERT_PATH: " to the PEM file of the client's certificate",
  DB_SSL_CLIENT_KEY_PATH: " to the PEM file of the client's private key, without a passphrase",
  DB_EMBEDDED: '=.tenantctl/embedded, or another folder',
  REGISTRY_TABLE: '=public.tenants, or the name of your table with its schema',
  REGISTRY_COLUMNS:
    '=organization=clerk_org_id,schema=schema_name,status=status, each with the name of your column; created and updated are optional',
  REGISTRY_STATUSES:
    '=ACTIVE=live|trial,SUSPENDED=paused, for example: each of PROVISIONING, ACTIVE, FAILED, SUSPENDED, ARCHIVED with its values, the one to write first',
  MASTER_HISTORY_TABLE: "=knex_migrations, or the name of Knex's table in public, without a schema",
  TENANT_HISTORY_TABLE:
    "=knex_migrations, or the name of Knex's table in each tenant schema, without a schema",
  TENANT_SCHEMA_PREFIX: '=tid_, or another prefix of at most 53 bytes',
  VECTOR_EXTENSION: '=auto, require or off',
  TENANT_ROLE: "='{schema}_owner' for one role for each tenant, or to the name of one role for all",
  CONNECT_TIMEOUT_MS: '=10000, in milliseconds',
  LOCK_TIMEOUT_MS: '=5000, in milliseconds',
  STATEMENT_TIMEOUT_MS: '=60000, in milliseconds',
  LOCK_WAIT_TIMEOUT_MS: '=60000, in milliseconds',
  RETRIES: '=6, or another number from 0 to 100',
  RUNS_KEEP: '=100, or another number from 1 to 10000',
  RECORDINGS: '=on or off',
};

export function remedyFor({ variable, remedy }: VariableProblem): string {
  if (remedy !== undefined) return remedy;
  const usual = USUAL[variable];
  return usual === undefined ? `Correct ${variable}.` : `Set ${variable}${usual}.`;
}
