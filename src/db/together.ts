import type { QueryResult, QueryResultRow } from 'pg';
import { toDatabaseError } from './database-error.ts';
import { ownQueries, type OwnStatement } from './own-query.ts';
import { withClient } from './transaction.ts';
import type { Database, Together } from './database.ts';

interface Asked extends OwnStatement {
  readonly resolve: (result: QueryResult) => void;
  readonly reject: (reason: unknown) => void;
}

/** Makes `Database.together`: collects the queries of one turn of the event loop, and sends them as one. */
export function createTogether(database: () => Database): Together {
  return async (read) => {
    let asked: Asked[] = [];
    const send = async () => {
      const batch = asked;
      asked = [];
      await sendAll(database(), batch);
    };
    const query: Database['query'] = <Row extends QueryResultRow>(
      text: string,
      values?: readonly unknown[],
    ) => {
      const { promise, resolve, reject } = Promise.withResolvers<QueryResult>();
      if (asked.push({ text, values, resolve, reject }) === 1) setImmediate(() => void send());
      return promise as Promise<QueryResult<Row>>;
    };
    const together: Together = (more) => settled(more(collecting));
    // What changes, such as `width`, is read from the database itself.
    const collecting = Object.create(database(), {
      query: { value: query },
      together: { value: together },
    }) as Database;
    return together(read);
  };
}

async function sendAll(database: Database, batch: readonly Asked[]): Promise<void> {
  const failed = (reason: unknown) => toDatabaseError(reason).concealing(database.conceal);
  try {
    const answers = await withClient(database, (client) => ownQueries(client, database, {}, batch), {
      purpose: 'query',
      tenants: 0,
    });
    for (const [at, { resolve, reject }] of batch.entries()) {
      const answer = answers[at];
      if (answer?.status === 'fulfilled') resolve(answer.value);
      else reject(failed(answer?.reason));
    }
  } catch (error) {
    for (const { reject } of batch) reject(failed(error));
  }
}

async function settled<const Read extends readonly unknown[]>(
  reading: Read,
): Promise<{ -readonly [At in keyof Read]: Awaited<Read[At]> }> {
  for (const one of await Promise.allSettled(reading)) if (one.status === 'rejected') throw one.reason;
  return Promise.all(reading);
}
