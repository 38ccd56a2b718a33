import { callbackify } from 'node:util';
import type { ClientBase, QueryConfig, QueryResult, Submittable } from 'pg';
import { asLoneStatement } from '../db/pg-internals.ts';
import { TenantctlError } from '../errors.ts';
import { MAY_DO } from './admission.ts';
import type { Settings } from './call-sql.ts';
import { examineStatement } from './examine-statement.ts';
import { queryRaw } from './query-raw.ts';
import { closeStream, isSubmittable, refusalOfStream } from './streams.ts';
import { createTurns } from './turns.ts';

/**
 * A connection within a call: it sends one statement a query, all in the call's transaction, and refuses what would
 * stay in the session. It is dead when the call has ended.
 */
export type TenantClient = Pick<ClientBase, 'query' | 'escapeIdentifier' | 'escapeLiteral'>;

/** The client of a call, and what the call needs of it. */
export interface Leash {
  readonly client: TenantClient;
  /** The settings that its statements may have changed, as they were before. */
  readonly changed: Settings;
  /** The last error of a statement that the server has answered. */
  readonly failure: () => unknown;
  /** From now on new statements are refused. Waits for those that nobody waited for. @returns their first error */
  readonly end: () => Promise<unknown>;
  /** When every statement has its answer; undefined if that is so already. */
  readonly busy: () => Promise<unknown> | undefined;
  /** The connection is of no use any more. */
  readonly isStuck: () => boolean;
  /** From now on statements are refused, with this reason, also those that wait for their turn. */
  readonly refuse: (reason: Error) => void;
}

type Callback = (error: Error | null, result?: QueryResult) => void;
type Config = QueryConfig & { readonly callback?: Callback };

/** Lends a connection to the work of a call. */
export function lend(connection: ClientBase, tenant: string, before: Settings): Leash {
  const turns = createTurns();
  const streams = new Set<Submittable>();
  const changed = new Map<string, string>();
  let hasEnded = false;
  let isStuck = false;

  const refusalOfCall = () => turns.stopped() ?? (hasEnded ? ended(tenant) : undefined);
  const send = (config: QueryConfig): Promise<QueryResult> => {
    const { refusal, settings, changesOthers } = examineStatement(config.text, config.values);
    const reason = config.name === undefined ? refusal : NAMED;
    const refused = refusalOfCall() ?? (reason && sessionState(tenant, config.text, reason));
    // Not in turn: this error is the caller's alone.
    if (refused !== undefined) return Promise.reject(refused);
    return turns.take(async () => {
      if (settings.length > 0 || changesOthers)
        await remember(connection, { settings, changesOthers, before, changed });
      return connection.query(asLoneStatement(config.text, config));
    });
  };
  const stream = (given: Submittable) => {
    const reason = refusalOfStream(given);
    const refused =
      refusalOfCall() ??
      (reason && sessionState(tenant, reason.text, reason.reason)) ??
      (turns.isBusy() ? sessionState(tenant, undefined, 'await the statements before a stream') : undefined);
    if (refused !== undefined) throw refused;
    streams.add(given);
    return connection.query(given);
  };
  const query = (given: string | Config | Submittable, values?: unknown[] | Callback, done?: Callback) => {
    if (isSubmittable(given)) return stream(given);
    const { callback, ...config } = configOf(given);
    const answer = typeof values === 'function' ? values : (done ?? callback);
    const sent = send(Array.isArray(values) ? { ...config, values } : config);
    if (answer === undefined) return sent;
    callbackify(() => sent)(answer);
    return undefined;
  };
  return {
    client: {
      query: query as TenantClient['query'],
      escapeIdentifier: (name) => connection.escapeIdentifier(name),
      escapeLiteral: (text) => connection.escapeLiteral(text),
    },
    changed,
    failure: turns.failure,
    busy: () => (turns.isBusy() ? turns.settle() : undefined),
    refuse: turns.stop,
    isStuck: () => isStuck,
    async end() {
      hasEnded = true;
      for (const each of streams) isStuck = !(await closeStream(each)) || isStuck;
      return isStuck ? sessionState(tenant, undefined, 'a COPY was not ended') : turns.settle();
    },
  };
}

const NAMED = 'a named statement stays in the session: leave out the name';

/** Builders of SQL have getters, which a copy lacks. */
function configOf(given: string | Config): Config {
  if (typeof given === 'string') return { text: given };
  const { text, values, name } = given;
  return { ...given, text, ...(values !== undefined && { values }), ...(name !== undefined && { name }) };
}

function ended(tenant: string): TenantctlError {
  return new TenantctlError('CALL_ENDED', `The call for the tenant "${tenant}" has ended.`, {
    tenant,
    hint: 'Await every query within the work of the call, and keep its client nowhere.',
  });
}

function sessionState(tenant: string, statement: string | undefined, reason: string): TenantctlError {
  return new TenantctlError('SESSION_STATE', `A call for the tenant "${tenant}" is refused: ${reason}.`, {
    tenant,
    statement,
    hint: MAY_DO,
  });
}

/** What a statement may change, and what is known of it. */
interface Changes {
  readonly settings: readonly string[];
  readonly changesOthers: boolean;
  readonly before: Settings;
  readonly changed: Map<string, string>;
}

/** Settings that this session can change, and so set back. Those of the transaction end with it. */
const CHANGEABLE = `SELECT s.name FROM pg_catalog.pg_settings s WHERE s.name NOT LIKE 'transaction\\_%'
  AND (s.context = 'user' OR s.context = 'superuser' AND pg_catalog.current_setting('is_superuser') = 'on')`;

/** Reads settings before a statement changes them, unless they are known. */
async function remember(
  connection: ClientBase,
  { settings, changesOthers, before, changed }: Changes,
): Promise<void> {
  const isUnknown = (name: string) => !before.has(name) && !changed.has(name);
  const names = settings.filter(isUnknown);
  if (names.length === 0 && !changesOthers) return;
  const list = names.map((name) => `SELECT ${connection.escapeLiteral(name)}`);
  const rows = await queryRaw(
    connection,
    `SELECT s.name, coalesce(pg_catalog.current_setting(s.name, true), '') AS value
     FROM (${[...list, ...(changesOthers ? [CHANGEABLE] : [])].join(' UNION ')}) s (name)`,
  );
  for (const { name = '', value = '' } of rows)
    if (isUnknown(name.toLowerCase())) changed.set(name.toLowerCase(), value);
}
