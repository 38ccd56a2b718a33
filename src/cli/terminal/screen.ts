import type { Output } from './output.ts';

/** Control sequences: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html (DECSET, DECTCEM, ED, EL) */
const OPEN = '\u001B[?1049h\u001B[?25l\u001B[?7l';
const CLOSE = '\u001B[?7h\u001B[?25h\u001B[?1049l';
const HOME = '\u001B[H';
const END_OF_LINE = '\u001B[K\n';
const REST = '\u001B[J';

const CTRL_C = '\u0003';
/** Where a terminal does not tell its height. */
const ROWS = 24;

/** The whole terminal, until it is closed: what was there before comes back then. */
export interface Screen {
  /** Draws a text in the place of the last one. What does not fit is cut. */
  show(text: string): Promise<void>;
  close(): void;
}

/**
 * Opens the alternate screen.
 * @param onQuit called when q or Ctrl-C is pressed
 * @param onResize called when the terminal's size has changed
 */
export function openScreen(output: Output, onQuit: () => void, onResize: () => void): Screen {
  const { stdin, stdout } = process;
  const onKey = (keys: Buffer) => {
    if (/q/i.test(keys.toString()) || keys.includes(CTRL_C)) onQuit();
  };
  const close = () => {
    process.off('exit', close);
    stdout.off('resize', onResize);
    if (stdin.isTTY) {
      stdin.off('data', onKey).setRawMode(false);
      stdin.pause();
    }
    void output.part(CLOSE);
  };
  // Also if a signal ends the process.
  process.on('exit', close);
  stdout.on('resize', onResize);
  if (stdin.isTTY) stdin.setRawMode(true).on('data', onKey).resume();
  void output.part(OPEN);
  return {
    show(text) {
      const lines = output.visible(text).split('\n');
      const { ellipsis } = output.look.marks;
      const room = (stdout.rows || ROWS) - 1;
      const shown =
        lines.length <= room
          ? lines
          : [...lines.slice(0, room - 1), `${ellipsis} ${lines.length - room + 1} more lines`];
      return output.part(`${HOME}${shown.map((line) => `${line}${END_OF_LINE}`).join('')}${REST}`);
    },
    close,
  };
}
