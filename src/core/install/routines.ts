import { createHash } from 'node:crypto';
import type { Database } from '../../db/database.ts';
import type { Names } from '../../names.ts';
import { guardRoutines } from '../guard/server-routines.ts';
import { readDistrust } from '../recordings/trust.ts';
import { tenantRoutines } from '../registry/server-routines.ts';
import { stampRoutines } from '../stamps/server-routines.ts';
import { applicationRoutines } from '../roles/application-roles.ts';
import type { Routine } from '../state/routine.ts';
import { serveRoutines } from '../strategy/server-routines.ts';

/** Everything that the schema tenantctl holds in functions and procedures. */
export function allRoutines(names: Names): Routine[] {
  return [
    ...tenantRoutines(names),
    ...stampRoutines(names),
    ...serveRoutines(names),
    ...guardRoutines(names),
    ...applicationRoutines(names),
  ];
}

/**
 * Routines of the schema tenantctl that differ from what this version makes: altered, missing, or unknown.
 * One that was added could take the place of another: PostgreSQL chooses by the types of the arguments
 * (https://www.postgresql.org/docs/current/typeconv-func.html).
 */
export async function readAltered(database: Pick<Database, 'query' | 'names'>): Promise<string[]> {
  // By way of pg_depend, which has an index on the schema: each tenant has a function, too.
  const { rows } = await database.query<{ identity: string; form: string }>(
    `SELECT p.proname || '(' || oidvectortypes(p.proargtypes) || ')' AS identity,
            encode(sha256(convert_to(concat(p.prosecdef, array_to_string(p.proconfig, ';'), p.prosrc), 'UTF8')), 'hex') AS form
     FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
     WHERE d.classid = 'pg_proc'::regclass AND d.refclassid = 'pg_namespace'::regclass
       AND d.refobjid = to_regnamespace('tenantctl')`,
  );
  const expected = new Map(
    allRoutines(database.names).map(({ identity, settings, source }) => [
      identity,
      createHash('sha256')
        .update(`f${settings.join(';')}${source}`)
        .digest('hex'),
    ]),
  );
  const found = new Map(rows.map(({ identity, form }) => [identity, form]));
  const all = new Set([...expected.keys(), ...found.keys()]);
  return [...all].filter((identity) => found.get(identity) !== expected.get(identity)).toSorted();
}

/**
 * Altered routines; what others put on tenantctl's tables, where it runs with tenantctl's rights; and who else could
 * change the kept recordings.
 */
export async function readForeignParts(database: Pick<Database, 'query' | 'names'>): Promise<string[]> {
  const { rows } = await database.query<{ part: string }>(
    `SELECT format('%s on %s', o.what, c.oid::regclass) AS part FROM pg_class c CROSS JOIN LATERAL (
       SELECT 'trigger ' || t.tgname AS what FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal
       UNION ALL SELECT 'rule ' || r.rulename FROM pg_rewrite r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN'
       UNION ALL SELECT 'policy ' || p.polname FROM pg_policy p WHERE p.polrelid = c.oid) o
     WHERE c.relnamespace = to_regnamespace('tenantctl') ORDER BY 1`,
  );
  const grants = (await readDistrust(database)).filter((reason) => !reason.startsWith('has the trigger '));
  return [
    ...(await readAltered(database)),
    ...rows.map(({ part }) => part),
    ...grants.map((reason) => `tenantctl.recordings ${reason}`),
  ];
}
