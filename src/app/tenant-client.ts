import { callbackify } from 'node:util';
import type { ClientBase, QueryConfig, QueryResult, Submittable } from 'pg';
import { asLoneStatement } from '../db/pg-internals.ts';
import { TenantctlError } from '../errors.ts';
import type { Settings } from './call-sql.ts';
import { settingsChangedBy } from './changed-settings.ts';
import { refusalOf } from './forbidden.ts';
import { queryRaw } from './query-raw.ts';

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
  /** From now on statements are refused. Waits for those that nobody waited for. @returns their first error */
  readonly end: () => Promise<unknown>;
  /** From now on statements are refused, with this reason. */
  readonly refuse: (reason: Error) => void;
}

type Callback = (error: Error | null, result?: QueryResult) => void;

/** Lends a connection to the work of a call. */
export function lend(connection: ClientBase, tenant: string, before: Settings): Leash {
  const pending = new Set<Promise<unknown>>();
  const streams = new Set<Submittable>();
  let last: Promise<unknown> = Promise.resolve();
  const changed = new Map<string, string>();
  let refusal: (() => Error) | undefined;

  /** One after the other: pg 9 will refuse two at once. An error that nobody awaits is the call's. */
  const inTurn = <Result>(send: () => Promise<Result>): Promise<Result> => {
    const sent = last.then(send);
    pending.add(sent);
    last = sent.then(
      () => pending.delete(sent),
      () => pending.delete(sent),
    );
    return sent;
  };
  const assertAllowed = (text: string, name: unknown) => {
    if (refusal !== undefined) throw refusal();
    const reason =
      name === undefined ? refusalOf(text) : 'a named statement stays in the session: leave out the name';
    if (reason !== undefined) throw sessionState(tenant, text, reason);
  };
  const send = (config: QueryConfig): Promise<QueryResult> =>
    inTurn(async () => {
      assertAllowed(config.text, config.name);
      const names = settingsChangedBy(config.text, config.values);
      const known = new Set([...before.keys(), ...changed.keys()]);
      for (const [name, value] of await readSettings(connection, names, known)) changed.set(name, value);
      return connection.query(asLoneStatement(config.text, config));
    });
  const query = (
    given: string | QueryConfig | Submittable,
    values?: unknown[] | Callback,
    done?: Callback,
  ) => {
    if (isSubmittable(given)) {
      assertAllowed(textOf(given), undefined);
      streams.add(given);
      return connection.query(given);
    }
    const bound = Array.isArray(values) ? { values } : {};
    const config = { ...(typeof given === 'string' ? { text: given } : given), ...bound };
    const callback = typeof values === 'function' ? values : done;
    const sent = send(config as QueryConfig);
    if (callback === undefined) return sent;
    callbackify(() => sent)(callback);
    return undefined;
  };
  return {
    client: {
      query: query as TenantClient['query'],
      escapeIdentifier: (name) => connection.escapeIdentifier(name),
      escapeLiteral: (text) => connection.escapeLiteral(text),
    },
    changed,
    refuse: (reason) => (refusal ??= () => reason),
    async end() {
      const left = [...pending];
      refusal ??= () => ended(tenant);
      for (const stream of streams) closeStream(stream);
      const outcomes = await Promise.allSettled(left);
      return outcomes.find((outcome) => outcome.status === 'rejected')?.reason as unknown;
    },
  };
}

function isSubmittable(given: unknown): given is Submittable {
  return typeof (given as Partial<Submittable> | null)?.submit === 'function';
}

/** The text of a cursor, a query stream or a COPY stream. */
function textOf(stream: Submittable): string {
  const { text, cursor } = stream as { text?: unknown; cursor?: { text?: unknown } };
  const found = text ?? cursor?.text;
  return typeof found === 'string' ? found : '';
}

/** A stream that was not read to its end would hold the connection. */
function closeStream(stream: Submittable): void {
  const { destroy, close } = stream as { destroy?: () => void; close?: () => unknown };
  if (destroy !== undefined) destroy.call(stream);
  else close?.call(stream);
}

function ended(tenant: string): TenantctlError {
  return new TenantctlError('CALL_ENDED', `The call for the tenant "${tenant}" has ended.`, {
    tenant,
    hint: 'Await every query within the work of the call, and keep its client nowhere.',
  });
}

function sessionState(tenant: string, statement: string, reason: string): TenantctlError {
  return new TenantctlError(
    'SESSION_STATE',
    `A call for the tenant "${tenant}" may not send this: ${reason}.`,
    {
      tenant,
      statement,
      hint: 'The connection serves other tenants afterwards. docs/application.md says what a call may do.',
    },
  );
}

/** Reads settings that are not known yet. @param names in lower case; undefined: all of them */
async function readSettings(
  connection: ClientBase,
  names: readonly string[] | undefined,
  known: ReadonlySet<string>,
): Promise<(readonly [name: string, value: string])[]> {
  const unknown = names?.filter((name) => !known.has(name));
  if (unknown?.length === 0) return [];
  const list = unknown?.map((name) => `(${connection.escapeLiteral(name)})`).join(', ');
  const from = list === undefined ? 'pg_catalog.pg_settings' : `(VALUES ${list})`;
  const columns = list === undefined ? 's' : 's (name)';
  const rows = await queryRaw(
    connection,
    `SELECT s.name, coalesce(pg_catalog.current_setting(s.name, true), '') AS value FROM ${from} ${columns}`,
  );
  return rows.flatMap(({ name = '', value = '' }) => (known.has(name) ? [] : [[name, value] as const]));
}
