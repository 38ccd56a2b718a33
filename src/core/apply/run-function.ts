import { dirname } from 'node:path';
import { types } from 'node:util';
import type { Knex } from 'knex';
import type { KnexFactory, SessionOptions } from '../../db/knex/knex-session.ts';
import { NotWaitedForError, type Seen } from '../../db/knex/statement.ts';
import { CONTROL_WORDS } from '../statements/control-statements.ts';
import { MENTIONS_EXTENSION } from '../statements/extension-statement.ts';
import type { ActionCall } from './action-call.ts';
import { failed, failureBehind } from './action-failure.ts';

/** Calls the function of a migration with Knex. */
export async function runFunction(
  call: ActionCall,
  factory: KnexFactory,
  action: (knex: Knex) => unknown,
): Promise<Seen> {
  const { schema, clerkOrgId } = call.target;
  const session = {
    migration: call.migration.file.name,
    userParams: { schema, ...(clerkOrgId !== undefined && { clerkOrgId }) },
    check: call.check,
    cut: call.cut,
    onStatement: call.onStatement,
    sendsNothing: call.sendsNothing,
    mayGoAhead,
    around: call.around,
    recording: call.recording,
    shared: call.shared,
    behind: call.behind,
    config: knexConfig(call),
  };
  const run = call.inTransaction ? factory.withinTransaction : factory.outsideTransaction;
  let seen: Seen = { failures: [], hasSent: false, finish() {} };
  await run(call.client, session, async (knexSession) => {
    seen = knexSession.seen;
    await whole(await action(knexSession.knex));
  }).catch((error: unknown) => {
    throw failed(call, error, failureBehind(error, seen));
  });
  return seen;
}

/** Its check depends on no earlier statement, and it is sent as it is. */
function mayGoAhead(text: string): boolean {
  return !CONTROL_WORDS.test(text) && !MENTIONS_EXTENSION.test(text);
}

/** What plain Knex would have been configured with. */
function knexConfig({ target, migration }: ActionCall): SessionOptions['config'] {
  const { schema, historyTable, searchPath } = target;
  const directory = dirname(migration.file.path);
  return { searchPath, migrations: { directory, tableName: historyTable, schemaName: schema } };
}

/** Waits for promises in an array, which `await` does not. @throws NotWaitedForError for a generator */
async function whole(returned: unknown): Promise<void> {
  // A statement's answer: to look at it would count as the migration's reading.
  if (types.isProxy(returned)) return;
  if (Array.isArray(returned)) await Promise.all(returned.filter((one) => one instanceof Promise));
  const isUnstarted =
    // A Knex is a function, and has a client.
    (typeof returned === 'function' && !('client' in returned)) ||
    typeof (returned as Iterator<unknown> | undefined)?.next === 'function';
  if (isUnstarted) throw new NotWaitedForError('returned a function or generator that nobody runs');
}
