/** A message of PostgreSQL's protocol. */
export interface Message {
  /** Its type byte; `startup` and `cancel` for the two that have none. */
  readonly type: string;
  readonly body: Buffer;
  /** All of it, as it goes over the wire. */
  readonly bytes: Buffer;
}

/** The first message's code: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const CANCEL_REQUEST = 80_877_102;
const PROTOCOL_3 = 3;

/** Cuts what a client sends into messages. The first has no type byte. @throws Error where it asks for encryption */
export function clientMessages(onMessage: (message: Message) => void): (chunk: Buffer) => void {
  let started = false;
  return cut(
    () => (started ? 1 : 0),
    (message) => {
      if (started) return onMessage(message);
      started = true;
      const code = message.body.readInt32BE(0);
      if (code === CANCEL_REQUEST) onMessage({ ...message, type: 'cancel' });
      else if (code >> 16 === PROTOCOL_3) onMessage({ ...message, type: 'startup' });
      else throw new Error('the wire reads plain text: a client must not ask for encryption');
    },
  );
}

/** Cuts what a server sends into messages. */
export function serverMessages(onMessage: (message: Message) => void): (chunk: Buffer) => void {
  return cut(() => 1, onMessage);
}

/** The message that asks the server to run a string. */
export function queryMessage(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const header = Buffer.alloc(5);
  header.write('Q');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** A message is its type byte, where it has one, its length with these four bytes, and its body. */
function cut(typeBytes: () => number, onMessage: (message: Message) => void): (chunk: Buffer) => void {
  let pending: Buffer = Buffer.alloc(0);
  return (chunk) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    for (;;) {
      const header = typeBytes();
      if (pending.length < header + 4) return;
      const end = header + pending.readInt32BE(header);
      if (pending.length < end) return;
      const type = header === 0 ? '' : String.fromCharCode(pending[0] ?? 0);
      const message = { type, body: pending.subarray(header + 4, end), bytes: pending.subarray(0, end) };
      pending = pending.subarray(end);
      onMessage(message);
    }
  };
}
