import { TenantctlError } from '../../errors.ts';
import type { Target } from '../target/target.ts';
import type { Trespass } from './judge.ts';

/** So many trespasses are named in one error. */
const TOLD = 10;

/** A migration reached outside its tenant's schema; its transaction is rolled back. */
export function outsideSchema(
  migration: string,
  { schema, clerkOrgId }: Target,
  trespasses: readonly Trespass[],
  statement?: string,
): TenantctlError {
  const [first] = trespasses;
  if (first === undefined) throw new Error('nothing was done outside');
  const others = trespasses.slice(1, TOLD).map((trespass) => `It also ${inWords(trespass)}.`);
  if (trespasses.length > TOLD) others.push(`And ${trespasses.length - TOLD} more.`);
  return new TenantctlError(
    'MIGRATION_OUTSIDE_SCHEMA',
    `${migration} ${inWords(first)}: outside ${schema}, the schema of its tenant.`,
    {
      tenant: clerkOrgId,
      migration,
      statement,
      hint: hintFor(first, migration),
      details: others.length > 0 ? others : undefined,
    },
  );
}

/** A statement that names another tenant's schema; it was not sent. */
export function namesAnother(
  migration: string,
  { schema, clerkOrgId }: Target,
  others: readonly string[],
  statement: string,
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_OUTSIDE_SCHEMA',
    `${migration} names ${others.join(', ')}: outside ${schema}, the schema of its tenant.`,
    { tenant: clerkOrgId, migration, statement, hint: ANOTHERS },
  );
}

/**
 * A statement outside a transaction that would change something outside the tenant's schema; it was not sent.
 * @param name the name to allow; undefined if that is not possible
 */
export function wouldReach(
  migration: string,
  { schema, clerkOrgId }: Target,
  deed: string,
  name: string | undefined,
  statement: string,
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_OUTSIDE_SCHEMA',
    `${migration} ${deed}: outside ${schema}, the schema of its tenant. The statement was not sent.`,
    {
      tenant: clerkOrgId,
      migration,
      statement,
      hint: name === undefined ? SHARED : allowing(name, migration),
    },
  );
}

/** "dropped the table public.countries" */
function inWords({ deed, type, identity, object, mode }: Trespass): string {
  const what = `the ${type ?? 'object'} ${identity ?? `${object.oid} of ${object.catalog}`}`;
  switch (deed) {
    case 'touched':
      return `read or wrote ${what}`;
    case 'locked':
      return `locked ${what} against others (${mode ?? 'exclusively'})`;
    default:
      return `${deed} ${what}`;
  }
}

const SHARED = 'What tenants share belongs into a master migration.';

const ANOTHERS =
  "That is another tenant's, which no tenant migration may reach. Correct the migration: names without a schema lead to the tenant's own.";

function allowing(name: string, migration: string): string {
  const words = migration.endsWith('.sql')
    ? `-- migrate:up allow-outside:${name}`
    : `export const config = { allowOutside: ['${name}'] }`;
  return `${SHARED} A name without a schema is looked up in the tenant's schema and, where that lacks it, in public. Where this is what the migration is for, let it say so: ${words}. It then runs for one tenant at a time.`;
}

function hintFor({ isOtherTenants, identity }: Trespass, migration: string): string {
  const remedy = isOtherTenants ? ANOTHERS : allowing(identity ?? 'public.…', migration);
  return `Its transaction was rolled back. ${remedy}`;
}
