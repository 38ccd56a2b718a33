import type { Message } from '../../support/wire/protocol.ts';

/** Messages that the server answers with one ReadyForQuery. */
export interface Request {
  readonly kind: 'startup' | 'string' | 'prepared' | 'rows' | 'end of rows' | 'farewell';
  /** The SQL, if there is any. */
  readonly text: string;
  readonly bytes: Buffer;
}

/**
 * Groups a client's messages into requests: a simple query, or everything up to a Sync
 * (https://www.postgresql.org/docs/current/protocol-flow.html). Terminate and cancel requests get no answer, and neither
 * do the rows of a COPY FROM STDIN.
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
      case 'd':
        return onRequest({ kind: 'rows', text: '', bytes });
      case 'c':
      case 'f':
        return onRequest({ kind: 'end of rows', text: '', bytes });
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

/** The SQL of a Parse message: name, text, parameter types. */
function textOfParse(body: Buffer): string {
  const start = body.indexOf(0) + 1;
  return body.toString('utf8', start, body.indexOf(0, start));
}
