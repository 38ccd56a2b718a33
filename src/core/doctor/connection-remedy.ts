import { identifier } from '../../db/sql.ts';
import type { TenantctlError } from '../../errors.ts';
import type { DatabaseSettings } from '../../db/database.ts';

/** What to do about a connection that was not to be had, with the real names in it. Pure. */
export function connectionRemedy(error: TenantctlError, settings: DatabaseSettings): string {
  const usual = error.hint ?? 'Put right what the message says, then run tenantctl doctor again.';
  if (settings.kind === 'embedded') return usual;
  const [role, database] = [identifier(settings.user), identifier(settings.database)];
  if (error.code === 'DATABASE_MISSING') {
    return `CREATE DATABASE ${database} OWNER ${role}; -- as a superuser; or correct DB_NAME`;
  }
  switch (error.sqlstate) {
    case '28P01':
      return `Correct DB_USER and DB_PASSWORD. Or give the role that password, as a superuser: ALTER ROLE ${role} PASSWORD '<the value of DB_PASSWORD>'; (where it does not exist: CREATE ROLE ${role} LOGIN PASSWORD '<the value of DB_PASSWORD>';)`;
    case '28000':
      if (/role .* does not exist/.test(error.message)) {
        return `CREATE ROLE ${role} LOGIN; -- as a superuser, with PASSWORD '<the value of DB_PASSWORD>' where one is asked for`;
      }
      return /not permitted to log in/.test(error.message)
        ? `ALTER ROLE ${role} LOGIN; -- as a superuser`
        : usual;
    case '42501':
      return `GRANT CONNECT ON DATABASE ${database} TO ${role}; -- as its owner or a superuser`;
    default:
      return usual;
  }
}
