import type { EventEmitter } from 'node:events';
import type { Transform } from 'node:stream';
import type { Knex } from 'knex';
import type { NextStatement } from './statements-ahead.ts';
import type { Built, UnsentStatements } from './unsent-statements.ts';

/** What a stream sends. */
export interface StreamedQuery {
  readonly sql: string;
  readonly bindings?: readonly unknown[];
}

/** Those of pg-query-stream. */
export interface StreamOptions {
  readonly batchSize?: number;
  readonly highWaterMark?: number;
}

/** The members of Knex's client that are used here (knex/lib/client.js). */
export interface DialectClient extends EventEmitter {
  readonly config: object;
  connectionSettings: object;
  transaction(
    container: (transaction: Knex.Transaction) => void,
    config: object,
    outer: null,
  ): Promise<unknown>;
  raw(...args: unknown[]): Built;
  schemaBuilder(): Built;
  queryBuilder(): Built;
  schemaCompiler(builder: Built): unknown;
  queryCompiler(builder: Built, bindings?: unknown): unknown;
  runner(builder: Built): Runner;
  acquireConnection(): Promise<unknown>;
  releaseConnection(): Promise<void>;
  _stream(
    connection: unknown,
    query: StreamedQuery,
    rows: Transform,
    options?: StreamOptions,
  ): Promise<unknown>;
}

/** knex/lib/execution/runner.js */
interface Runner {
  stream: (optionsOrHandler: unknown) => Transform | Promise<unknown>;
  queryArray: (queries: readonly NextStatement[]) => Promise<unknown>;
}

export type DialectClientClass = new (config: object) => DialectClient;

/** What a migration's client reports, and what it asks for. */
export interface ClientHost {
  /** The connection that the migration uses. */
  readonly connection: unknown;
  readonly unsent: UnsentStatements;
  /** Sends the query and writes its rows to the stream. */
  stream(query: StreamedQuery, rows: Transform, options: StreamOptions): Promise<void>;
  /** Knex is about to ask for these statements of one builder, in this order. */
  expect(queries: readonly NextStatement[]): void;
  /** The migration ends only after this has settled. */
  waitFor(work: unknown): void;
}

/** Finds the migration that uses a client, by the configuration that all clients of a Knex share. */
export class Hosts extends WeakMap<object, { readonly user: ClientHost }> {
  of({ config }: DialectClient): ClientHost {
    const seat = this.get(config);
    if (seat === undefined) throw new Error('The migration replaced knex.client.config.');
    return seat.user;
  }
}

/**
 * The clients of migrations: Knex's own for PostgreSQL, which uses one given connection, knows what was built and
 * not sent, and waits for streams. Nested transactions make their client from the same class.
 */
export function migrationClient(Dialect: DialectClientClass, hosts: Hosts): DialectClientClass {
  return class MigrationClient extends Dialect {
    override acquireConnection() {
      return Promise.resolve(hosts.of(this).connection);
    }

    override releaseConnection() {
      return Promise.resolve();
    }

    override raw(...args: unknown[]) {
      const raw = super.raw(...args);
      // Knex's constructor makes one.
      return hosts.get(this.config)?.user.unsent.built(raw, 'toSQL') ?? raw;
    }

    override queryBuilder() {
      // Of a template, only the copies are sent.
      return hosts.of(this).unsent.built(super.queryBuilder(), 'clone');
    }

    override schemaBuilder() {
      return hosts.of(this).unsent.built(super.schemaBuilder());
    }

    override schemaCompiler(builder: Built) {
      hosts.of(this).unsent.compiled(builder);
      return super.schemaCompiler(builder);
    }

    override queryCompiler(builder: Built, bindings?: unknown) {
      hosts.of(this).unsent.compiled(builder);
      return super.queryCompiler(builder, bindings);
    }

    /** Knex does not wait for the function that it gives a stream to, and drops its error. */
    override runner(builder: Built) {
      const host = hosts.of(this);
      const runner = super.runner(builder);
      const stream = runner.stream.bind(runner);
      runner.stream = (given) => {
        if (typeof given !== 'function') return stream(given);
        let handled: unknown;
        const sent = stream((rows: Transform) => {
          handled = (given as (rows: Transform) => unknown)(rows);
          host.waitFor(handled);
        });
        return Promise.all([sent, handled]);
      };
      const queryArray = runner.queryArray.bind(runner);
      runner.queryArray = (queries) => {
        host.expect(queries);
        return queryArray(queries);
      };
      return runner;
    }

    override _stream(_connection: unknown, query: StreamedQuery, rows: Transform, options = {}) {
      const host = hosts.of(this);
      const streamed = host.stream(query, rows, options);
      host.waitFor(streamed);
      return streamed;
    }
  };
}
