import type { ServerNotice } from '../../db/database.ts';
import { counted } from '../../wording.ts';

/** A message that the server sent while a migration ran: RAISE NOTICE and RAISE WARNING, for example. */
export interface MigrationNotice {
  /** Several names if the server's answers do not show which of them it was. */
  readonly migration: string;
  /** WARNING, NOTICE, INFO and so on (https://www.postgresql.org/docs/current/plpgsql-errors-and-messages.html). */
  readonly severity: string;
  /** At most 500 characters. */
  readonly message: string;
  /** How many schemas it came from. */
  readonly tenants: number;
}

/** The messages of a run, each once. */
export interface Notices {
  /** @param migrations one of them sent it */
  add(notice: ServerNotice, migrations: readonly string[], schema: string): void;
  list(): MigrationNotice[];
}

/** The most messages that are kept, warnings and others separately; what follows is only counted. */
const MOST_KEPT = 50;

const LONGEST = 500;

/** @param conceal masks secrets */
export function createNotices(conceal: (text: string) => string): Notices {
  const kept = { warnings: new Map<string, Kept>(), others: new Map<string, Kept>() };
  return {
    add({ severity = 'NOTICE', message = '' }, migrations, schema) {
      const entries = severity === 'WARNING' ? kept.warnings : kept.others;
      // A string of several migrations does not show which one it was; the first tenants have.
      const known = migrations.find((migration) => entries.has(keyOf(migration, severity, message)));
      const migration = known ?? migrations.join(', ');
      const key = keyOf(migration, severity, message);
      const isFull = entries.size >= MOST_KEPT && !entries.has(key);
      const at = isFull ? severity : key;
      const entry = entries.get(at) ?? {
        ...(isFull
          ? { migration: 'all', message: `More messages than ${MOST_KEPT} are not kept.` }
          : { migration, message: shortened(conceal(message)) }),
        severity,
        schemas: new Set<string>(),
      };
      entry.schemas.add(schema);
      entries.set(at, entry);
    },
    list: () =>
      [...kept.warnings.values(), ...kept.others.values()].map(({ schemas, ...notice }) => ({
        ...notice,
        tenants: schemas.size,
      })),
  };
}

interface Kept extends Omit<MigrationNotice, 'tenants'> {
  readonly schemas: Set<string>;
}

function keyOf(migration: string, severity: string, message: string): string {
  return [migration, severity, shortened(message)].join('\n');
}

function shortened(message: string): string {
  return message.length > LONGEST ? `${message.slice(0, LONGEST)}...` : message;
}

export function isWarning({ severity }: Pick<MigrationNotice, 'severity'>): boolean {
  return severity === 'WARNING';
}

export function renderNotice({ migration, severity, message, tenants }: MigrationNotice): string {
  return `${migration}: ${severity}: ${message}${tenants > 1 ? ` (${counted(tenants, 'tenant')})` : ''}`;
}
