import { identifier, qualified } from '../../db/sql.ts';
import { STATE_SCHEMA } from '../install/state-schema.ts';
import { failed, ok, warning, type Check, type CheckId } from './check.ts';
import type { Relation, RightsFacts } from './rights-facts.ts';
import { listed } from '../../wording.ts';

export const RIGHTS: readonly CheckId[] = [
  'create-schemas',
  'own-public',
  'create-in-public',
  'table-rights',
];

/** The role that runs tenantctl, and the database. */
export interface Identity {
  readonly role: string;
  readonly database: string;
}

/** The checks of the role's rights. Pure. */
export function rightsChecks(facts: RightsFacts, { role, database }: Identity): Check[] {
  const grantee = identifier(role);
  return [
    facts.createsSchemas
      ? ok('create-schemas', `${role} may create schemas in ${database}`)
      : failed(
          'create-schemas',
          `${role} may not create schemas in ${database}, so it can provision nobody`,
          `GRANT CREATE ON DATABASE ${identifier(database)} TO ${grantee}; -- as its owner or a superuser`,
          'DATABASE_ERROR',
        ),
    ...publicChecks(facts, role, grantee),
    tableCheck(facts, role, grantee),
  ];
}

function publicChecks(facts: RightsFacts, role: string, grantee: string): Check[] {
  const { publicOwner: owner } = facts;
  if (owner === null) {
    const remedy = `CREATE SCHEMA public AUTHORIZATION ${grantee}; -- as the owner of the database or a superuser`;
    return [
      failed('own-public', 'the schema public does not exist', remedy),
      failed('create-in-public', 'the schema public does not exist', remedy),
    ];
  }
  const take = `ALTER SCHEMA public OWNER TO ${grantee}; -- as a superuser`;
  const notOwned = `public belongs to ${owner}, and ${role} does not have its rights`;
  return [
    facts.ownsPublic
      ? ok(
          'own-public',
          owner === role ? `${role} owns it` : `it belongs to ${owner}, whose rights ${role} has`,
        )
      : facts.createsInPublic
        ? warning('own-public', `${notOwned}; it may create tables there, which suffices for most`, take)
        : failed('own-public', notOwned, take, 'DATABASE_ERROR'),
    facts.createsInPublic
      ? ok('create-in-public', `${role} may create tables there`)
      : failed(
          'create-in-public',
          `${role} may not create tables in public, so it cannot migrate master`,
          `GRANT USAGE, CREATE ON SCHEMA public TO ${grantee}; -- as its owner or a superuser`,
          'DATABASE_ERROR',
        ),
  ];
}

function tableCheck(facts: RightsFacts, role: string, grantee: string): Check {
  const names = facts.lacking.map(({ schema, name }) => `${schema}.${name}`);
  if (facts.lacksStateSchema) names.unshift(`the schema ${STATE_SCHEMA}`);
  if (names.length === 0) return ok('table-rights', `${role} may use the registry and the histories`);
  const grants = facts.lacking.map((relation) => grant(relation, grantee));
  if (facts.lacksStateSchema) grants.unshift(`GRANT USAGE ON SCHEMA ${STATE_SCHEMA} TO ${grantee};`);
  return failed(
    'table-rights',
    `${role} may not use ${listed(names)}`,
    `${grants.join('\n')} -- as their owner or a superuser`,
    'DATABASE_ERROR',
  );
}

function grant({ schema, name, isSequence }: Relation, grantee: string): string {
  return isSequence
    ? `GRANT USAGE, SELECT ON SEQUENCE ${qualified(schema, name)} TO ${grantee};`
    : `GRANT SELECT, INSERT, UPDATE, DELETE ON ${qualified(schema, name)} TO ${grantee};`;
}
