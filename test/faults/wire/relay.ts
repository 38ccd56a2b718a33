import type { Socket } from 'node:net';
import { ROWS_FOLLOW } from './names.ts';
import { clientMessages, serverMessages, type Message } from '../../support/wire/protocol.ts';
import { createInbox } from './inbox.ts';
import { piecesOf, type Passing, type Piece } from './pieces.ts';
import { gatherRequests, type Request } from './request.ts';

/** When a fault may strike: before the piece goes to the server, after it was sent, after it was answered. */
export type Moment = 'before' | 'sent' | 'after';

export interface Relay {
  /** The server backend's process id, once known. */
  readonly pid: number | undefined;
  readonly isOpen: boolean;
  /** Stops forwarding in both directions until thawed. */
  freeze(): void;
  thaw(): void;
  cut(): void;
  /** Closes the client's side; the server notices nothing. */
  halfClose(): void;
  /** Stops forwarding without closing either side. */
  goSilent(): void;
  close(): void;
}

/** Called at each moment before it has consequences; freezing the relay stops it there. */
export type OnPoint = (moment: Moment, name: string, relay: Relay) => void;

/** Relays both directions of a connection, message by message. */
export function relay(near: Socket, far: Socket, passing: Passing, onPoint: OnPoint): Relay {
  const requests = createInbox<Request | 'end'>();
  const answers = createInbox<Answer | 'end'>();
  const underWay: { piece: Piece; answered: PromiseWithResolvers<Answer> }[] = [];
  let isInTransaction = false;
  let isSilent = false;
  let pid: number | undefined;
  let ice: PromiseWithResolvers<void> | undefined;

  const self: Relay = {
    get pid() {
      return pid;
    },
    get isOpen() {
      return !far.destroyed && !isSilent;
    },
    freeze: () => void (ice ??= Promise.withResolvers()),
    thaw() {
      ice?.resolve();
      ice = undefined;
    },
    cut() {
      near.destroy();
      far.destroy();
    },
    halfClose() {
      self.goSilent();
      near.end();
    },
    goSilent() {
      isSilent = true;
      self.freeze();
    },
    close() {
      near.destroy();
      far.destroy();
    },
  };
  const at = async (moment: Moment, { name }: Piece): Promise<void> => {
    onPoint(moment, name, self);
    await ice?.promise;
  };

  const passOn = async (): Promise<void> => {
    for (;;) {
      const request = await requests.take();
      await ice?.promise;
      if (request === 'end') return void far.end();
      for (const piece of await piecesOf(request, passing, isInTransaction)) {
        await at('before', piece);
        if (far.writableEnded) return;
        const answered = Promise.withResolvers<Answer>();
        if (!piece.isSilent) underWay.push({ piece, answered });
        far.write(piece.bytes);
        if (piece.isSilent) continue;
        await at('sent', piece);
        if (piece.name === ROWS_FOLLOW) continue;
        // After an error the server refuses the rest of a string, but not a pipeline's next string.
        if (passing === 'statements' && (await answered.promise).isError) break;
      }
    }
  };
  const passBack = async (): Promise<void> => {
    for (;;) {
      const answer = await answers.take();
      const sent = answer === 'end' || !answer.isComplete ? undefined : underWay.shift();
      if (sent !== undefined) await at('after', sent.piece);
      await ice?.promise;
      if (answer === 'end') return void near.end();
      const isForClient = sent === undefined || sent.piece.isLast || answer.isError;
      near.write(Buffer.concat(isForClient ? answer.messages : answer.messages.slice(0, -1)));
      sent?.answered.resolve(answer);
    }
  };

  near.on('data', clientMessages(gatherRequests((request) => requests.put(request))));
  const gather = gatherAnswers((answer, status) => {
    isInTransaction = status !== 'I';
    answers.put(answer);
  });
  far.on(
    'data',
    serverMessages((message) => {
      if (message.type === 'K') pid = message.body.readInt32BE(0);
      gather.onMessage(message);
    }),
  );
  // Deliver what a client sent before it died, but not what was held back.
  const onNearEnd = () => {
    if (isSilent) return;
    const isHeldBack = ice !== undefined || (passing === 'statements' && underWay.length > 0);
    if (isHeldBack) far.end();
    else requests.put('end');
  };
  const onFarEnd = () => {
    if (isSilent) return;
    gather.onEnd();
    answers.put('end');
    far.end();
  };
  for (const event of ['end', 'close']) near.on(event, onNearEnd);
  for (const event of ['end', 'close']) far.on(event, onFarEnd);
  for (const socket of [near, far]) socket.on('error', () => {});
  void passOn();
  void passBack();
  return self;
}

/** The server's answer to one piece. */
interface Answer {
  readonly messages: readonly Buffer[];
  readonly isError: boolean;
  readonly isComplete: boolean;
}

/** Groups the server's messages into answers. A client sends the rows of a COPY when it has been told to. @param onAnswer called with each, and the transaction status */
function gatherAnswers(onAnswer: (answer: Answer, status: string) => void): {
  readonly onMessage: (message: Message) => void;
  /** The server has gone: forward its last, incomplete answer. */
  readonly onEnd: () => void;
} {
  let messages: Buffer[] = [];
  let isError = false;
  const hand = (isComplete: boolean, status: string) => {
    onAnswer({ messages, isError, isComplete }, status);
    messages = [];
    isError = false;
  };
  return {
    onMessage({ type, body, bytes }) {
      messages.push(bytes);
      isError ||= type === 'E';
      if (type === 'G') hand(false, 'T');
      if (type === 'Z') hand(true, body.toString());
    },
    onEnd() {
      if (messages.length > 0) hand(false, 'I');
    },
  };
}
