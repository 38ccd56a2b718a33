import { callbackify } from 'node:util';
import type { QueryConfig, QueryResult, Submittable } from 'pg';
import type { TenantClient } from './tenant-client.ts';

type Query = (
  given: string | QueryConfig | Submittable,
  values?: unknown,
  done?: (error: unknown, result?: QueryResult) => void,
) => unknown;

/** What a library sends around the work, by its first word. */
const BRACKET = /^\s*(begin|start|commit|rollback)\b/i;

/**
 * Runs the work of a call in a transaction of a library. The call sends its own BEGIN, COMMIT and ROLLBACK: those of
 * the library are answered as the server would. What the work sends reaches the client of the call, which refuses them.
 * @param committed when the call has committed: only then the library learns of its COMMIT
 * @param begin begins the library's transaction on a client, and runs the work in it
 */
export async function inLibraryTransaction<Handle, Result>(
  { client, committed }: { readonly client: TenantClient; readonly committed: Promise<void> },
  work: (handle: Handle) => Promise<Result>,
  begin: (client: TenantClient, work: (handle: Handle) => Promise<void>) => Promise<unknown>,
): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  const send = client.query as Query;
  let isAtWork = false;
  const query: Query = (given, values, done) => {
    const { text = '' } = typeof given === 'string' ? { text: given } : (given as Partial<QueryConfig>);
    const word = isAtWork ? undefined : BRACKET.exec(text)?.[1]?.toUpperCase();
    if (word === undefined) return send(given, values, done);
    const answered = (word === 'COMMIT' ? committed : Promise.resolve()).then(() => answerTo(word));
    const callback = typeof values === 'function' ? (values as typeof done) : done;
    if (callback === undefined) return answered;
    callbackify(() => answered)(callback);
    return undefined;
  };
  begin({ ...client, query: query as TenantClient['query'] }, async (handle) => {
    isAtWork = true;
    try {
      resolve(await work(handle));
    } catch (error) {
      reject(error);
      throw error;
    } finally {
      isAtWork = false;
    }
  }).catch(reject);
  return promise;
}

function answerTo(command: string): QueryResult {
  return { command, rowCount: null, oid: 0, rows: [], fields: [] };
}
