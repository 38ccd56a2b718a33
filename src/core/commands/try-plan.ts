import type { PoolClient } from 'pg';
import type { SentStatement } from '../../db/knex/statement.ts';
import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { maskSecrets } from '../../secrets.ts';
import { untrustedHistory } from '../apply/untrusted-history.ts';
import { runAction } from '../apply/action.ts';
import { moveExtensions } from '../apply/extensions.ts';
import { runsInTransaction, type Direction, type Migration } from '../files/load.ts';
import { watchSchema } from '../guard/guard.ts';
import type { Plan } from '../plan/plan.ts';
import type { RunContext } from '../run/run-context.ts';
import { giveControl, selectTrusted } from '../target/control.ts';
import { lacksCommit, needsCommit } from '../statements/needs-commit.ts';
import { restoreSettings } from '../target/settings.ts';
import type { Target } from '../target/target.ts';

export interface RehearsedMigration {
  readonly name: string;
  readonly transaction: boolean;
  /** The SQL in order, with bound values in comments: see `statementText`. */
  readonly statements: readonly string[];
  /** What could not be shown, and why. */
  readonly note?: string | undefined;
  readonly error?: TenantctlError | undefined;
}

export interface RehearsedPlan {
  readonly scope: 'master' | 'tenants';
  readonly targets: readonly { readonly clerkOrgId?: string | undefined; readonly schema: string }[];
  readonly shownOn: string;
  readonly migrations: readonly RehearsedMigration[];
}

const STEP = 'tenantctl_step';

/** A transaction that will be rolled back. */
export interface Trial {
  readonly context: RunContext;
  readonly client: PoolClient;
  readonly direction: Direction;
}

/** Runs a plan's migrations on a target in order, and records what they send, until one fails. */
export async function tryPlan(
  { context, client, direction }: Trial,
  target: Target,
  plan: Plan,
  targets: RehearsedPlan['targets'],
): Promise<RehearsedPlan> {
  const migrations = await Promise.all(plan.steps.map((step) => context.load(step.file)));
  const shown: RehearsedMigration[] = [];
  let leftOut: string | undefined;
  let texts: string[] = [];
  // Each open savepoint has a lock of its own.
  let earlier = '';
  for (const migration of migrations) {
    const { name } = migration.file;
    if (!runsInTransaction(migration, direction)) {
      leftOut ??= name;
      shown.push(notTried(migration, direction));
      continue;
    }
    const statements: string[] = [];
    const restored = restoreSettings(texts, context.database, context);
    texts = [];
    const onStatement = (statement: SentStatement) => {
      texts.push(statement.text);
      statements.push(context.database.conceal(statementText(statement)));
    };
    await client.query(`${earlier}SAVEPOINT ${STEP}`);
    earlier = `RELEASE SAVEPOINT ${STEP}; `;
    try {
      const stayed =
        target.scope === 'tenants' ? await watchSchema(context, client, target, STEP, direction) : undefined;
      await client.query([...selectTrusted(target), ...restored, ...giveControl(target)].join(';\n'));
      const finish = await runAction(client, context, migration, { target, direction, onStatement });
      finish();
      const observed = await stayed?.(migration);
      if (observed?.hasExtension === true) await moveExtensions(context, client, target);
      shown.push({ name, transaction: true, statements });
      // A run commits here, which drops temporary tables.
      if (texts.some(needsCommit)) await client.query('DISCARD TEMP');
    } catch (error) {
      await client.query(`ROLLBACK TO SAVEPOINT ${STEP}`);
      const known = untrustedHistory(error, target, name) ?? toTenantctlError(error);
      if (lacksCommit(known.sqlstate, known.message) && !texts.some(needsCommit)) {
        const note =
          'It could not be tried to its end: it needs what is before it to be committed, as a run does.';
        shown.push({ name, transaction: true, statements, note });
        leftOut ??= name;
        continue;
      }
      const note =
        leftOut === undefined
          ? undefined
          : `It failed here perhaps because ${leftOut}, which comes before it, was not run.`;
      const shownError = known.concealing(context.database.conceal);
      shown.push({ name, transaction: true, statements, error: shownError, note });
      break;
    }
  }
  return { scope: target.scope, targets, shownOn: target.schema, migrations: shown };
}

function notTried(migration: Migration, direction: Direction): RehearsedMigration {
  const action = direction === 'up' ? migration.up : migration.down;
  const isSql = typeof action === 'string';
  const text = maskSecrets(action?.toString() ?? '');
  return {
    name: migration.file.name,
    transaction: false,
    statements: isSql ? [text] : [],
    note: `It runs outside a transaction, so it has not been tried: ${isSql ? 'this is its text.' : `read ${migration.file.path}.\n${text}`}`,
  };
}

/** A statement's text, followed by its bound values, each shortened. */
export function statementText({ text, values }: SentStatement): string {
  if (values.length === 0) return text;
  const shown = values.map((value, index) => {
    const json = value instanceof Date ? value.toISOString() : (JSON.stringify(value) ?? 'null');
    return `$${index + 1} = ${json.length > 80 ? `${json.slice(0, 77)}...` : json}`;
  });
  return `${text}  -- ${shown.join(', ')}`;
}
