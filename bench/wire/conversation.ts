import type { Message } from '../../test/support/wire/protocol.ts';

/** A request that the server answers: a simple query, messages up to a Sync, or the start-up. */
export interface Request {
  /** A simple query's text; undefined for other requests and bound parameters. */
  readonly text: string | undefined;
  /** A statement with bound values, as the driver sends it: one between two Syncs. */
  readonly bound?: BoundStatement | undefined;
  /** Whether a transaction was open after it; undefined until answered. */
  isInTransaction: boolean | undefined;
}

export interface BoundStatement {
  readonly text: string;
  /** As sent: text, or bytes in binary form. */
  readonly values: readonly (string | Buffer | null)[];
}

export interface Conversation {
  readonly requests: readonly Request[];
  /** Number of simple queries (Q) and Execute messages (E). */
  readonly queries: number;
  /**
   * How often the client may have waited: requests sent after all earlier ones, or any since the last
   * request, were answered. Requests sent at once count once.
   */
  readonly roundTrips: number;
}

/** Tracks a connection. Call it with each message when it is at the client's end. */
export function followConversation(): {
  readonly conversation: Conversation;
  readonly onClientMessage: (message: Message) => void;
  readonly onServerMessage: (message: Message) => void;
} {
  const requests: Request[] = [];
  const conversation = { requests, queries: 0, roundTrips: 0 };
  let answered = 0;
  let mayHaveWaited = true;
  let parsed = '';
  let bound: BoundStatement | undefined;
  const ask = (text: string | undefined) => {
    requests.push({ text, bound, isInTransaction: undefined });
    bound = undefined;
    if (mayHaveWaited) conversation.roundTrips += 1;
    mayHaveWaited = false;
  };
  return {
    conversation,
    onClientMessage({ type, body }) {
      if (type === 'Q' || type === 'E') conversation.queries += 1;
      if (type === 'P') parsed = cString(body, body.indexOf(0) + 1);
      if (type === 'B') bound = { text: parsed, values: boundValues(body) };
      if (type === 'Q') ask(body.toString('utf8', 0, body.length - 1));
      else if (type === 'S' || type === 'startup') ask(undefined);
    },
    onServerMessage({ type, body }) {
      // ReadyForQuery ends an answer; its body is I, T or E.
      if (type !== 'Z') return;
      const request = requests[answered];
      if (request !== undefined) request.isInTransaction = body.toString() !== 'I';
      answered += 1;
      mayHaveWaited = true;
    },
  };
}

export interface Traffic {
  readonly connections: number;
  readonly queries: number;
  readonly requests: number;
  readonly roundTrips: number;
}

export function trafficOf(conversations: readonly Conversation[]): Traffic {
  const sum = (count: (each: Conversation) => number) =>
    conversations.reduce((total, each) => total + count(each), 0);
  return {
    connections: conversations.length,
    queries: sum(({ queries }) => queries),
    requests: sum(({ requests }) => requests.length),
    roundTrips: sum(({ roundTrips }) => roundTrips),
  };
}

function cString(body: Buffer, from: number): string {
  return body.toString('utf8', from, body.indexOf(0, from));
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-BIND */
function boundValues(body: Buffer): (string | Buffer | null)[] {
  let at = body.indexOf(0, body.indexOf(0) + 1) + 1;
  const int16 = () => body.readInt16BE((at += 2) - 2);
  const formats = Array.from({ length: int16() }, int16);
  return Array.from({ length: int16() }, (_, index) => {
    const length = body.readInt32BE((at += 4) - 4);
    if (length < 0) return null;
    const bytes = body.subarray((at += length) - length, at);
    const isBinary = (formats.length === 1 ? formats[0] : formats[index]) === 1;
    return isBinary ? Buffer.from(bytes) : bytes.toString();
  });
}
