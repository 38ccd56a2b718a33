import type { Message } from '../../support/wire/protocol.ts';

/** What a client sends in one go, and the server answers with one ReadyForQuery at its end. */
export interface Request {
  readonly kind: 'startup' | 'string' | 'prepared' | 'farewell';
  /** What is run; empty for a start-up and a farewell. */
  readonly text: string;
  readonly bytes: Buffer;
}

/**
 * Puts a client's messages together to requests: a simple query is one, and so is everything up to a Sync
 * (https://www.postgresql.org/docs/current/protocol-flow.html). A Terminate and a cancel request are not answered.
 */
export function gatherRequests(onRequest: (request: Request) => void): (message: Message) => void {
  let text = '';
  let gathered: Buffer[] = [];
  return ({ type, body, bytes }) => {
    switch (type) {
      case 'startup':
        return onRequest({ kind: 'startup', text: '', bytes });
      case 'cancel':
      case 'X':
        return onRequest({ kind: 'farewell', text: '', bytes });
      case 'Q':
        return onRequest({ kind: 'string', text: body.toString('utf8', 0, body.length - 1), bytes });
      default:
        gathered.push(bytes);
        if (type === 'P') text = textOfParse(body);
        if (type !== 'S') return;
        onRequest({ kind: 'prepared', text, bytes: Buffer.concat(gathered) });
        gathered = [];
        text = '';
    }
  };
}

/** A Parse message: the name of the statement, its text, its parameters' types. */
function textOfParse(body: Buffer): string {
  const start = body.indexOf(0) + 1;
  return body.toString('utf8', start, body.indexOf(0, start));
}
