import type { EventEmitter } from 'node:events';
import type { Transform } from 'node:stream';
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

/** The members of Knex's client that MigrationClient overrides (knex/lib/client.js). */
interface DialectClient extends EventEmitter {
  raw(...args: unknown[]): Built & { toSQL(...args: unknown[]): unknown };
  schemaBuilder(): Built;
  queryBuilder(): Built & { clone(): unknown };
  schemaCompiler(builder: Built): unknown;
  queryCompiler(builder: Built, bindings?: unknown): unknown;
  runner(builder: Built): StreamRunner;
  acquireConnection(): Promise<unknown>;
  releaseConnection(): Promise<void>;
  _stream(
    connection: unknown,
    query: StreamedQuery,
    rows: Transform,
    options?: StreamOptions,
  ): Promise<unknown>;
}

type StreamRunner = Record<'stream', (optionsOrHandler: unknown) => Transform | Promise<unknown>>;

export type DialectClientClass = new (config: object) => DialectClient;

/** What a migration's client reports, and what it asks for. */
export interface ClientHost {
  /** The connection that the migration uses. */
  readonly connection: unknown;
  readonly unsent: UnsentStatements;
  /** Sends the query and writes its rows to the stream. */
  stream(query: StreamedQuery, rows: Transform, options: StreamOptions): Promise<void>;
  /** The migration ends only after this has settled. */
  waitFor(work: unknown): void;
}

/**
 * The client of one migration: Knex's own for PostgreSQL, which uses one given connection, knows what was built
 * and not sent, and waits for streams. Nested transactions make their client from the same class.
 */
export function migrationClient(Dialect: DialectClientClass, host: ClientHost): DialectClientClass {
  const { unsent } = host;
  return class MigrationClient extends Dialect {
    override acquireConnection() {
      return Promise.resolve(host.connection);
    }

    override releaseConnection() {
      return Promise.resolve();
    }

    override raw(...args: unknown[]) {
      const raw = unsent.built(super.raw(...args));
      const toSQL = raw.toSQL.bind(raw);
      raw.toSQL = (...parts) => {
        unsent.compiled(raw);
        return toSQL(...parts);
      };
      return raw;
    }

    override queryBuilder() {
      const builder = unsent.built(super.queryBuilder());
      const clone = builder.clone.bind(builder);
      // Of a template, only the copies are sent.
      builder.clone = () => {
        unsent.compiled(builder);
        return clone();
      };
      return builder;
    }

    override schemaBuilder() {
      return unsent.built(super.schemaBuilder());
    }

    override schemaCompiler(builder: Built) {
      unsent.compiled(builder);
      return super.schemaCompiler(builder);
    }

    override queryCompiler(builder: Built, bindings?: unknown) {
      unsent.compiled(builder);
      return super.queryCompiler(builder, bindings);
    }

    /** Knex does not wait for the function that it gives a stream to, and drops its error. */
    override runner(builder: Built) {
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
      return runner;
    }

    override _stream(_connection: unknown, query: StreamedQuery, rows: Transform, options = {}) {
      const streamed = host.stream(query, rows, options);
      host.waitFor(streamed);
      return streamed;
    }
  };
}
