import type { Message } from '../../test/support/wire/protocol.ts';

/** Something that the server has to answer: a simple query, a Sync with the messages before it, or the start-up. */
export interface Request {
  /** The text of a simple query; undefined where the request has none, or binds parameters. */
  readonly text: string | undefined;
  /** Whether a transaction was open after it; undefined until it has been answered. */
  isInTransaction: boolean | undefined;
}

/** What went over one connection. */
export interface Conversation {
  readonly requests: readonly Request[];
  /** How often the server was asked to run something: simple queries (Q) and Execute messages (E). */
  readonly queries: number;
  /**
   * How often the client may have waited for an answer before it went on: the requests that were sent when all before
   * had been answered, or after an answer had come back since the last request. Requests sent in one go count once.
   */
  readonly roundTrips: number;
}

/** Follows a connection. The caller tells it what goes by, each message at the moment when it is at the client's end. */
export function followConversation(): {
  readonly conversation: Conversation;
  readonly onClientMessage: (message: Message) => void;
  readonly onServerMessage: (message: Message) => void;
} {
  const requests: Request[] = [];
  const conversation = { requests, queries: 0, roundTrips: 0 };
  let answered = 0;
  let mayHaveWaited = true;
  const ask = (text: string | undefined) => {
    requests.push({ text, isInTransaction: undefined });
    if (mayHaveWaited) conversation.roundTrips += 1;
    mayHaveWaited = false;
  };
  return {
    conversation,
    onClientMessage({ type, body }) {
      if (type === 'Q' || type === 'E') conversation.queries += 1;
      if (type === 'Q') ask(body.toString('utf8', 0, body.length - 1));
      else if (type === 'S' || type === 'startup') ask(undefined);
    },
    onServerMessage({ type, body }) {
      // ReadyForQuery ends the answer to one request; its body is I, T or E.
      if (type !== 'Z') return;
      const request = requests[answered];
      if (request !== undefined) request.isInTransaction = body.toString() !== 'I';
      answered += 1;
      mayHaveWaited = true;
    },
  };
}

/** What went over all connections of a piece of work. */
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
