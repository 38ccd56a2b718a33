import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import type { Target } from '../target/target.ts';
import type { Trespass } from './judge.ts';

/** The most trespasses named in one error. */
const TOLD = 10;

/** A migration reached outside its tenant's schema; its transaction is rolled back. */
export function outsideSchema(
  migration: string,
  target: Target,
  trespasses: readonly Trespass[],
): TenantctlError {
  const [first, ...others] = trespasses;
  if (first === undefined) throw new Error('nothing was done outside');
  const details = others.slice(0, TOLD - 1).map((trespass) => `It also ${inWords(trespass)}.`);
  if (trespasses.length > TOLD) details.push(`And ${trespasses.length - TOLD} more.`);
  const remedy = first.isOtherTenants ? ANOTHERS : allowing(first.identity ?? 'public....', migration);
  return outside(migration, target, inWords(first), {
    hint: `Its transaction was rolled back. ${remedy}`,
    details: details.length > 0 ? details : undefined,
  });
}

/** A statement names another tenant's schema; it was not sent. */
export function namesAnother(
  migration: string,
  target: Target,
  others: readonly string[],
  statement: string,
): TenantctlError {
  return outside(migration, target, `names ${others.join(', ')}`, { statement, hint: ANOTHERS });
}

/** For a statement outside a transaction; not sent. @param name the name to allow; undefined if impossible */
export function wouldReach(
  migration: string,
  target: Target,
  deed: string,
  name: string | undefined,
  statement: string,
): TenantctlError {
  const hint = name === undefined ? SHARED : allowing(name, migration);
  return outside(migration, target, deed, { statement, hint }, ' The statement was not sent.');
}

function outside(
  migration: string,
  { schema, clerkOrgId: tenant }: Target,
  deed: string,
  details: ErrorDetails,
  end = '',
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_OUTSIDE_SCHEMA',
    `${migration} ${deed}: outside ${schema}, the schema of its tenant.${end}`,
    { tenant, migration, ...details },
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
