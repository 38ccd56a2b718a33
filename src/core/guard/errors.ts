import { TenantctlError, type ErrorDetails } from '../../errors.ts';
import { configForm } from '../files/config-form.ts';
import { runsInTransaction, type Direction, type Migration } from '../files/load.ts';
import type { Target } from '../target/target.ts';
import { ANYTHING, nameToAllow, type Outside } from './allowed.ts';
import type { Trespass } from './trespass.ts';

/** The most trespasses named in one error. */
const TOLD = 10;

/** A migration that reached, or would reach, outside its tenant's schema. */
interface Reaching {
  readonly migration: Migration;
  readonly direction: Direction;
  readonly target: Target;
}

/** A migration reached outside its tenant's schema; its transaction is rolled back. */
export function outsideSchema(reaching: Reaching, trespasses: readonly Trespass[]): TenantctlError {
  const { deed, isOtherTenants, details } = summaryOf(trespasses);
  const remedy = isOtherTenants ? ANOTHERS : allowing(reaching, trespasses);
  const hint = `Its transaction was rolled back. ${remedy}`;
  return outside(reaching.migration.file.name, reaching.target, deed, { hint, details });
}

/** Whether a migration was refused because it reached outside. */
export function isOutsideSchema(error: unknown): error is TenantctlError {
  return error instanceof TenantctlError && error.code === 'MIGRATION_OUTSIDE_SCHEMA';
}

/** One of several migrations reached outside, and it is not known which one. */
export function suspectsOutside(
  migrations: readonly Pick<Migration, 'file'>[],
  target: Target,
  trespasses: readonly Trespass[],
): TenantctlError {
  const { deed, isOtherTenants, details } = summaryOf(trespasses);
  const hint = `Their transaction was rolled back. Which of them it was is not known: when they ran once more, none did. What they do differs from run to run. ${isOtherTenants ? ANOTHERS : SHARED}`;
  return outside(namesOf(migrations), target, `(one of these) ${deed}`, { hint, details });
}

function summaryOf(trespasses: readonly Trespass[]) {
  const [first, ...others] = trespasses;
  if (first === undefined) throw new Error('nothing was done outside');
  const details = others.slice(0, TOLD - 1).map((trespass) => `It also ${inWords(trespass)}.`);
  if (trespasses.length > TOLD) details.push(`And ${trespasses.length - TOLD} more.`);
  return {
    deed: inWords(first),
    isOtherTenants: first.isOtherTenants,
    details: details.length > 0 ? details : undefined,
  };
}

function namesOf(migrations: readonly Pick<Migration, 'file'>[]): string {
  return migrations.map(({ file }) => file.name).join(', ');
}

/** The transaction is not the one that was begun, or lacks a migration; what is open of it is rolled back. */
export function brokenTransaction(
  migrations: readonly Pick<Migration, 'file'>[],
  { clerkOrgId: tenant, schema }: Target,
): TenantctlError {
  return new TenantctlError(
    'MIGRATION_FAILED',
    `${namesOf(migrations)}: a statement ended the transaction, or went back to before an earlier migration. Nothing was recorded.`,
    {
      tenant,
      migration: migrations.at(-1)?.file.name,
      hint: `Leave COMMIT and ROLLBACK to tenantctl. If a statement before the COMMIT was kept, ${schema} has it without a row in its history: compare it with what the migration makes.`,
    },
  );
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

/** For a statement outside a transaction; not sent. @param needs what the migration would have to allow */
export function wouldReach(
  reaching: Reaching,
  deed: string,
  needs: readonly Outside[],
  statement: string,
): TenantctlError {
  const hint = allowing(reaching, needs);
  const { migration, target } = reaching;
  return outside(migration.file.name, target, deed, { statement, hint }, ' The statement was not sent.');
}

/** A migration dropped what tenantctl needs to examine it. */
export function droppedState(migration: string, target: Target): TenantctlError {
  const hint = 'Its transaction was rolled back. tenantctl works with this schema: leave it alone.';
  return outside(migration, target, 'dropped or changed the schema tenantctl', { hint });
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

const SHARED = 'What tenants share belongs in a master migration.';

const ANOTHERS =
  "That is another tenant's, which no tenant migration may reach. Correct the migration: names without a schema lead to the tenant's own.";

/** The most objects of one schema that a hint names; of more it names the schema. */
const NAMED = 10;

function allowing({ migration, direction }: Reaching, needs: readonly Outside[]): string {
  if (migration.file.kind === 'hook')
    return `${SHARED} A hook may write rows of shared tables, and change nothing else of them.`;
  const form = configForm(migration, direction, {
    inTransaction: runsInTransaction(migration, direction),
    allowOutside: [...new Set([...migration.allowOutside, ...entriesFor(needs)])],
  });
  return `${SHARED} A name without a schema is looked up in the tenant's schema and, where that lacks it, in public: what belongs to the tenant needs no schema before its name, and search_path is tenantctl's to set. A migration that is meant to reach outside runs for one tenant at a time, and says so: ${form}`;
}

/** Entries of allowOutside, from the objects that they must allow. */
function entriesFor(needs: readonly Outside[]): string[] {
  const names = new Set(needs.filter(({ isOtherTenants }) => !isOtherTenants).map(nameToAllow));
  if (names.has(ANYTHING)) return [ANYTHING];
  const bySchema = Map.groupBy(names, (name) => /^(?:"(?:[^"]|"")+"|[^".(]+)\./.exec(name)?.[0]);
  return [...bySchema].flatMap(([schema, some]) =>
    schema !== undefined && some.length > NAMED ? `${schema}*` : some,
  );
}
