import { qualified } from '../../db/sql.ts';
import { lockTableOf } from '../target/history.ts';
import { resolutionHint } from '../state/resolution-commands.ts';
import { failed, ok, type Check, type CheckId } from './check.ts';
import type { IntentFacts, RegistryFacts } from './registry-facts.ts';
import { HANDLED, leftOver, leftOverComment } from './remedy.ts';
import { counted, listed } from '../../wording.ts';

export const LOCKS: readonly CheckId[] = ['knex-locks', 'intents'];

/** The checks of what a crash of Knex or of tenantctl left behind. Pure. */
export function lockChecks(facts: RegistryFacts): Check[] {
  return [knexCheck(facts), intentCheck(facts.intents)];
}

function knexCheck({ names, masterHistory, fleet }: RegistryFacts): Check {
  const locked = [
    ...(masterHistory.lockedByKnex ? [{ schema: 'public', table: lockTableOf(names.masterHistory) }] : []),
    ...[...(fleet?.histories ?? [])]
      .filter(([, history]) => history.lockedByKnex)
      .map(([schema]) => ({ schema, table: lockTableOf(names.tenantHistory) })),
  ];
  if (locked.length === 0) return ok('knex-locks', 'none is set');
  const updates = locked
    .slice(0, HANDLED)
    .map(({ schema, table }) => `UPDATE ${qualified(schema, table)} SET is_locked = 0;`);
  return failed(
    'knex-locks',
    `set in ${listed(locked.map(({ schema }) => schema))}: a Knex is migrating there, or died while it did`,
    `${updates.join('\n')} -- when no Knex is at work there${leftOverComment(locked.length)}`,
    'KNEX_LOCKED',
  );
}

function intentCheck(intents: readonly IntentFacts[]): Check {
  const interrupted = intents.filter(({ atWork }) => !atWork);
  if (interrupted.length === 0) {
    return ok(
      'intents',
      intents.length === 0 ? 'none' : `none; ${counted(intents.length, 'migration')} under way`,
    );
  }
  return failed(
    'intents',
    `how these ended is not known, a run was killed: ${listed(interrupted.map(({ migration, schema }) => `${migration} in ${schema}`))}`,
    `${interrupted.slice(0, HANDLED).map(intentRemedy).join('\n')}${leftOver(interrupted.length)}`,
    'MIGRATION_INTERRUPTED',
  );
}

function intentRemedy(intent: IntentFacts): string {
  return resolutionHint({ schema: intent.schema }, intent);
}
