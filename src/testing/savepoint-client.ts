import { callbackify } from 'node:util';
import { Client, type ClientConfig, type QueryConfig, type QueryResult, type Submittable } from 'pg';
import { createTurns } from '../app/turns.ts';
import { scan } from '../app/scan.ts';
import { isSubmittable } from '../app/streams.ts';
import { followTransaction } from '../db/pg-internals.ts';
import { TenantctlError } from '../errors.ts';

type Query = (given: string | QueryConfig | Submittable, values?: unknown, done?: Callback) => unknown;
type Callback = (error: Error | null, result?: QueryResult) => void;
type Config = QueryConfig & { readonly callback?: Callback };
type Send = (config: QueryConfig) => Promise<QueryResult>;

/** The application's own BEGIN. */
const TRANSACTION = 'tenantctl_transaction';
/** Around a statement outside of it, whose error must not abort the transaction of the test. */
const STATEMENT = 'tenantctl_statement';

/** What a string of statements does to the application's transaction, and what is left of it. Pure. */
interface Brackets {
  readonly begins: boolean;
  readonly ends: 'commit' | 'rollback' | undefined;
  readonly rest: string;
}

const BEGIN = /^\s*(?:begin|start\s+transaction)\b[^;]*(?:;|$)/i;
/** `; END` may end the body of a function. */
const COMMIT = /(?:(?:^|;)\s*commit|^\s*end)(?:\s+(?:work|transaction))?\s*;?\s*$/i;
const ROLLBACK = /^\s*(?:rollback|abort)(?:\s+(?:work|transaction))?\s*(?:;|$)/i;

/** Brackets stand at the beginning and at the end of a text, or alone. */
function bracketsOf(given: string): Brackets {
  const text = withoutComments(given);
  const begins = BEGIN.test(text);
  const inner = begins ? text.replace(BEGIN, '') : text;
  const [ends, pattern] = ROLLBACK.test(inner)
    ? (['rollback', ROLLBACK] as const)
    : (['commit', COMMIT] as const);
  const isEnd = pattern.test(inner);
  if (!begins && !isEnd) return { begins, ends: undefined, rest: given };
  return { begins, ends: isEnd ? ends : undefined, rest: isEnd ? inner.replace(pattern, '') : inner };
}

/** Libraries add comments to BEGIN and COMMIT, too. A text with literals stays as it is. */
function withoutComments(text: string): string {
  if (!/--|\/\*/.test(text)) return text;
  const { code, literals } = scan(text);
  return literals.length === 0 ? code : text;
}

/** Opens the transaction of a test: `BEGIN`, and what stands after it. */
export type Opening = (send: Send) => Promise<unknown>;

/**
 * A class of clients whose connection is in a transaction that never commits. BEGIN, COMMIT and ROLLBACK that the
 * application sends become savepoints, and each statement outside of them has one of its own, as it would be its own
 * transaction. Statements are sent one after the other.
 */
export function savepointClients(config: ClientConfig, opening: Opening): new () => Client {
  return class extends Client {
    constructor() {
      super(config);
      const connectPlain = this.connect.bind(this);
      const isInTransaction = followTransaction(this);
      const send = this.query.bind(this) as Query & Send;
      const connect = async () => {
        await connectPlain();
        await opening(send);
        this.query = withSavepoints(send, {
          isInTransaction,
          begin: () => opening(send),
        }) as typeof this.query;
        return this;
      };
      this.connect = ((done?: () => void) =>
        done === undefined ? connect() : callbackify(connect)(done)) as typeof this.connect;
      keepInPool(this);
    }
  };
}

/**
 * A pool closes a connection that is given back with an error, and `pool.query` gives it back with that of its
 * statement: the rows that the test has written would be gone.
 */
function keepInPool(client: Client): void {
  let release: (() => void) | undefined;
  Object.defineProperty(client, 'release', {
    get: () => () => release?.(),
    set(next: () => void) {
      release = next;
    },
  });
}

/** The transaction of the test. */
interface Outer {
  readonly isInTransaction: () => boolean;
  readonly begin: () => Promise<unknown>;
}

function withSavepoints(send: Query & Send, outer: Outer): Query {
  const turns = createTurns();
  const run = createRunner(send, outer);
  return (given, values, done) => {
    if (isSubmittable(given)) return send(given as never);
    const { callback, ...config }: Config =
      typeof given === 'string' ? { text: given } : { ...given, text: given.text };
    const answer = typeof values === 'function' ? (values as Callback) : (done ?? callback);
    const sent = turns.take(() => run(Array.isArray(values) ? { ...config, values } : config));
    return answer === undefined ? sent : callbackify(() => sent)(answer);
  };
}

function createRunner(send: Send, { isInTransaction, begin }: Outer): Send {
  let isOpen = false;
  const undo = (name: string) => send({ text: `ROLLBACK TO SAVEPOINT ${name}; RELEASE SAVEPOINT ${name}` });
  const within = async (name: string, work: () => Promise<QueryResult>) => {
    try {
      const result = await work();
      await send({ text: `RELEASE SAVEPOINT ${name}` });
      return result;
    } catch (error) {
      if (!isEnded(error)) await undo(name);
      throw error;
    }
  };
  /** What comes after a statement that ended the transaction is rolled back, too. */
  const perform = async (config: QueryConfig): Promise<QueryResult> => {
    const [sent] = await Promise.allSettled([send(config)]);
    const results = sent.status === 'fulfilled' ? [sent.value].flat() : [];
    if (!isInTransaction() || results.some(({ command }) => command === 'COMMIT')) {
      isOpen = false;
      await begin();
      throw transactionEnded();
    }
    if (sent.status === 'rejected') throw sent.reason;
    return sent.value;
  };
  return async (config) => {
    const { begins, ends, rest } = bracketsOf(config.text);
    let result = answerTo(ends ?? 'begin');
    if (begins && !isOpen) {
      await send({ text: `SAVEPOINT ${TRANSACTION}` });
      isOpen = true;
    }
    if (ends === 'rollback' && isOpen) {
      isOpen = false;
      await undo(TRANSACTION);
    }
    const inner = { ...config, text: rest };
    if (rest.trim() !== '' && isOpen) result = await perform(inner);
    else if (rest.trim() !== '') {
      await send({ text: `SAVEPOINT ${STATEMENT}` });
      result = await within(STATEMENT, () => perform(inner));
    }
    if (ends !== 'commit' || !isOpen) return result;
    isOpen = false;
    return within(TRANSACTION, () => Promise.resolve(result));
  };
}

function answerTo(command: string): QueryResult {
  return { command: command.toUpperCase(), rowCount: null, oid: 0, rows: [], fields: [] };
}

/** A statement that was not recognized has ended the transaction of the test. */
function transactionEnded(): TenantctlError {
  return new TenantctlError('TRANSACTION_ABORTED', 'A statement has ended the transaction of the test.', {
    hint: 'Send BEGIN, COMMIT and ROLLBACK as statements of their own, or use fresh() for this test.',
  });
}

function isEnded(error: unknown): boolean {
  return error instanceof TenantctlError && error.code === 'TRANSACTION_ABORTED';
}
