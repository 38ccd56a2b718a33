import type { ErrorCode, TenantctlError } from '../../errors.ts';

export type CheckStatus = 'ok' | 'warning' | 'failed' | 'skipped';

/** One line of the doctor's answer. */
export interface Check {
  /** Stable, in kebab-case: programs may rely on it. */
  readonly id: string;
  readonly title: string;
  readonly status: CheckStatus;
  /** What was found; for a skipped check, why it was skipped. Never a secret. */
  readonly detail: string;
  /** What to do: every failed check and every warning has one. SQL and commands in it can be pasted as they are. */
  readonly remedy?: string;
  /** The code of the error that a command would end with, if any. */
  readonly code?: ErrorCode;
}

/** The checks with one line each, in order. Wrong variables and files have lines of their own. */
export const TITLES = {
  node: 'Node.js',
  'env-file': 'Env file',
  variables: 'Variables',
  'master-folder': 'Master folder',
  'master-files': 'Master migrations',
  'tenant-folder': 'Tenant folder',
  'tenant-files': 'Tenant migrations',
  connection: 'Connection',
  'server-version': 'Server version',
  'read-write': 'Primary server',
  pooler: 'Pooler',
  'direct-url': 'Direct URL',
  tls: 'TLS',
  certificate: 'Certificate',
  capacity: 'Connections',
  'create-schemas': 'Create schemas',
  'own-public': 'Own public',
  'create-in-public': 'Create in public',
  'table-rights': 'Rights on tables',
  'create-roles': 'Roles for tenants',
  'tenant-rights': 'Rights on tenants',
  'vector-extension': 'Extension vector',
  registry: 'Registry',
  'state-schema': 'Schema tenantctl',
  'master-history': 'Master history',
  'tenant-histories': 'Tenant histories',
  'orphan-schemas': 'Schemas without a row',
  'missing-schemas': 'Rows without a schema',
  'unfinished-tenants': 'Unfinished tenants',
  'renamed-tenants': 'Renamed tenants',
  'knex-locks': 'Locks of Knex',
  intents: 'Interrupted migrations',
  'knex-histories': 'Histories of Knex',
  'knex-names': 'Names for Knex',
  'knex-sql': '.sql and Knex',
} as const;

export type CheckId = keyof typeof TITLES;

/** A check of TITLES, or one for a variable or a file, with a title of its own. */
type Subject = CheckId | { readonly id: string; readonly title: string };

export function ok(subject: Subject, detail: string): Check {
  return { ...named(subject), status: 'ok', detail };
}

export function warning(subject: Subject, detail: string, remedy: string): Check {
  return { ...named(subject), status: 'warning', detail, remedy };
}

export function failed(subject: Subject, detail: string, remedy: string, code?: ErrorCode): Check {
  return { ...named(subject), status: 'failed', detail, remedy, ...(code !== undefined && { code }) };
}

export function skipped(subject: Subject, reason: string): Check {
  return { ...named(subject), status: 'skipped', detail: reason };
}

export function skipAll(ids: readonly CheckId[], reason: string): Check[] {
  return ids.map((id) => skipped(id, reason));
}

/** A check whose facts could not be read. */
export function unknown(subject: Subject, error: TenantctlError): Check {
  return failed(
    subject,
    error.message,
    error.hint ?? 'Put right what the message says, then run tenantctl doctor again.',
    error.code,
  );
}

/** "DB_SSL_CERT_PATH" or "0001_notes.ts" as part of an id. */
export function kebab(text: string): string {
  return text
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
}

function named(subject: Subject): { readonly id: string; readonly title: string } {
  return typeof subject === 'string' ? { id: subject, title: TITLES[subject] } : subject;
}
