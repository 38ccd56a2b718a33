import type { Problem, Variables } from './settings.ts';
import { NOT_SET } from './variables.ts';

/** Names that other tools use. */
export const SYNONYMS: Readonly<Record<string, string>> = {
  DB_USERNAME: 'DB_USER',
  DB_PASS: 'DB_PASSWORD',
  DB_PWD: 'DB_PASSWORD',
  DB_DATABASE: 'DB_NAME',
  DB_URL: 'DATABASE_URL',
  POSTGRES_URL: 'DATABASE_URL',
  PGHOST: 'DB_HOST',
  PGPORT: 'DB_PORT',
  PGUSER: 'DB_USER',
  PGDATABASE: 'DB_NAME',
  PGSERVICE: 'DB_HOST',
  PGHOSTADDR: 'DB_HOST',
  PGSSLMODE: 'DB_SSL',
  PGSSLROOTCERT: 'DB_SSL_CERT_PATH',
  PGSSLCERT: 'DB_SSL_CLIENT_CERT_PATH',
  PGSSLKEY: 'DB_SSL_CLIENT_KEY_PATH',
  POSTGRES_HOST: 'DB_HOST',
  POSTGRES_PORT: 'DB_PORT',
  POSTGRES_USER: 'DB_USER',
  POSTGRES_PASSWORD: 'DB_PASSWORD',
  POSTGRES_DB: 'DB_NAME',
};

/** Variables that pg obeys, and that would change how tenantctl and the server talk. */
const OF_DRIVER = [
  'PGREPLICATION',
  'PGBINARY',
  'PGCLIENT_ENCODING',
  'PGSSLNEGOTIATION',
  'NODE_PG_FORCE_NATIVE',
];

export function driverProblems(variables: Variables): Problem[] {
  return OF_DRIVER.filter((variable) => variables[variable] !== undefined).map((variable) => ({
    variable,
    message: 'is set: the driver would obey it, and tenantctl does not work with it',
    remedy: `Unset ${variable}.`,
  }));
}

/** Variables of other tools that may be meant for one that is missing, or for TLS, which is off without ours. */
export function unreadNames(variables: Variables, problems: readonly Problem[]): Problem[] {
  const missing = new Set(problems.filter(({ message }) => message === NOT_SET).map((each) => each.variable));
  const isPlain = variables.DB_SSL === undefined && !/[?&]sslmode=/.test(variables.DATABASE_URL ?? '');
  if (isPlain && !/^(?:disable|allow|prefer)$/.test(variables.PGSSLMODE ?? '')) missing.add('DB_SSL');
  return Object.entries(SYNONYMS)
    .filter(([name, meant]) => variables[name] !== undefined && missing.has(meant))
    .map(([variable, meant]) => ({
      variable,
      message: `is not read: the variable is called ${meant}`,
      remedy: `Set ${meant}.`,
    }));
}
