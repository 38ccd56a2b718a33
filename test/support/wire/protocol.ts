export interface Message {
  /** Type byte; `startup` and `cancel` for the two without. */
  readonly type: string;
  readonly body: Buffer;
  readonly bytes: Buffer;
}

/** Code in the first message: https://www.postgresql.org/docs/current/protocol-message-formats.html */
const CANCEL_REQUEST = 80_877_102;
const PROTOCOL_3 = 3;

/** Splits a client's data into messages, the first without a type byte. @throws Error if it requests TLS */
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

export function serverMessages(onMessage: (message: Message) => void): (chunk: Buffer) => void {
  return cut(() => 1, onMessage);
}

export function queryMessage(text: string): Buffer {
  const body = Buffer.from(`${text}\0`);
  const header = Buffer.alloc(5);
  header.write('Q');
  header.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([header, body]);
}

/** A message has an optional type byte, its length including these four bytes, and its body. */
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
