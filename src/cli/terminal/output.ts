import { Writable } from 'node:stream';
import { Chalk } from 'chalk';
import type { Variables } from '../../config/settings.ts';
import { createConcealer, secretsOf } from '../../secrets.ts';
import { visibleText } from '../render/visible.ts';
import { ASCII, takesUnicode, UNICODE, type Look } from '../render/look.ts';

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly color: boolean;
}

/** Writes results to stdout, everything else to stderr. */
export interface Output extends OutputOptions {
  /** Of stdout; without colours if it is no terminal, with NO_COLOR or in CI. */
  readonly look: Look;
  /** Of stderr. */
  readonly errorLook: Look;
  /** A line on stderr can be drawn again. */
  readonly animated: boolean;
  /** All of stdout can be drawn again. */
  readonly redraws: boolean;
  /** Masks the secrets in these variables from now on. */
  learnSecrets(...sources: readonly Variables[]): void;
  /**
   * Writes a part of the result to stdout, unchanged; resolves when it has been taken. With --json it is the
   * beginning of the document, up to the comma: `document` writes the rest.
   */
  part(text: string): Promise<void>;
  result(text: string): Promise<void>;
  /** stdout for a result that is no text. */
  stdout(): Writable;
  /** stdout is a terminal, of whatever width. */
  readonly isTerminal: boolean;
  /** Text as `result` writes it: without secrets, and without control characters but colours. */
  readonly visible: (text: string) => string;
  /** Writes the result as one JSON document. */
  document(document: object): Promise<void>;
  /** A document as JSON, with secrets masked. */
  masked(document: object): string;
  /** A line on stderr; not with --quiet. */
  message(text: string): void;
  warn(text: string): void;
  complain(text: string): void;
}

export function createOutput(options: OutputOptions): Output {
  const plain = !options.color || isSet('NO_COLOR') || isSet('CI');
  let conceal = createConcealer([]);
  let isBegun = false;
  // stdout is diverted while the command runs.
  const writeToStdout = process.stdout.write.bind(process.stdout);
  const marks = takesUnicode(process.env, process.platform) ? UNICODE : ASCII;
  const lookOf = (stream: NodeJS.WriteStream): Look => ({
    paint: new Chalk({ level: plain || !stream.isTTY ? 0 : 1 }),
    marks,
    // 0: some CI pseudo terminals.
    width: stream.isTTY && stream.columns > 0 ? stream.columns : undefined,
  });
  // Without a width nothing can be drawn in the same place.
  const isLive = !options.json && !isSet('CI') && process.env.TERM !== 'dumb';
  const errorLook = lookOf(process.stderr);
  const look = lookOf(process.stdout);
  const shown = (text: string, { paint }: Look) => visibleText(conceal(text), paint.level > 0);
  const complain = (text: string) => void process.stderr.write(`${shown(text, errorLook)}\n`);
  // Resolves when the text is written, so that long documents are complete before the process ends.
  const toStdout = (text: string) =>
    new Promise<void>((resolve) => {
      writeToStdout(text, () => resolve());
    });
  const message = options.quiet ? () => {} : complain;
  return {
    ...options,
    look,
    errorLook,
    animated: errorLook.width !== undefined && !options.quiet && isLive,
    isTerminal: process.stdout.isTTY,
    redraws: look.width !== undefined && isLive,
    learnSecrets(...sources) {
      conceal = createConcealer(sources.flatMap(secretsOf));
    },
    part(text) {
      isBegun = true;
      return toStdout(text);
    },
    masked: (document) => toJson(document, conceal, 0),
    stdout: () => new Writable({ write: (chunk: Uint8Array, _, done) => void writeToStdout(chunk, done) }),
    result: (text) => toStdout(`${shown(text, look)}\n`),
    visible: (text) => shown(text, look),
    document: (document) => toStdout(`${toJson(document, conceal, 2).slice(isBegun ? 1 : 0)}\n`),
    message,
    warn: (text) => message(`${errorLook.paint.yellow(errorLook.marks.warning)} ${text}`),
    complain,
  };
}

/** Document keys with free text. Names and ids are never changed: programs use them. */
const FREE_TEXT = new Set(
  'message hint statement statements details detail remedy warnings note problem query shown stdout stderr'.split(
    ' ',
  ),
);

function toJson(document: object, conceal: (text: string) => string, indent: number): string {
  const textOf = (value: unknown) => (typeof value === 'string' ? conceal(value) : value);
  return JSON.stringify(
    document,
    (key, value: unknown) => {
      if (!FREE_TEXT.has(key)) return value;
      return Array.isArray(value) ? value.map(textOf) : textOf(value);
    },
    indent,
  );
}

/** Redirects stdout output of migrations to stderr until the returned function is called. */
export function divertStdout(): () => void {
  const write = process.stdout.write.bind(process.stdout);
  process.stdout.write = process.stderr.write.bind(process.stderr);
  return () => {
    process.stdout.write = write;
  };
}

function isSet(name: string): boolean {
  return (process.env[name] ?? '') !== '';
}
