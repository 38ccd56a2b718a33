import type { ChalkInstance } from 'chalk';

/** How text is drawn on one stream. */
export interface Look {
  /** Colours; none without a terminal. */
  readonly paint: ChalkInstance;
  readonly marks: Marks;
  /** Columns of the terminal; undefined without one: nothing is cut. */
  readonly width: number | undefined;
}

/** The only characters of the program's own output that are not ASCII. */
export const UNICODE = {
  ok: '✔',
  failed: '✖',
  warning: '!',
  skipped: '·',
  /** Before a hint or a remedy. */
  arrow: '→',
  /** Between parts of a line. */
  separator: '·',
  /** For what was cut. */
  ellipsis: '…',
  /** Cells of a bar. */
  full: '█',
  half: '▒',
  empty: '░',
};

/** UNICODE, or what stands for it without UTF-8. */
type Marks = Readonly<Record<keyof typeof UNICODE, string>>;

/** As systemd writes them: https://github.com/systemd/systemd/blob/main/src/basic/glyph-util.c */
export const ASCII: Marks = {
  ok: '+',
  failed: 'x',
  warning: '!',
  skipped: '-',
  arrow: '->',
  separator: '|',
  ellipsis: '...',
  full: '#',
  half: '=',
  empty: '-',
};

/** Up to this many tenants are listed one by one. */
export const LISTED = 10;

/** The mark of a result: as bad as the worst of it. */
export function markOf(
  { paint, marks }: Look,
  { failed, unfinished = false }: { readonly failed: boolean; readonly unfinished?: boolean },
): string {
  if (failed) return paint.red(marks.failed);
  return unfinished ? paint.yellow(marks.warning) : paint.green(marks.ok);
}

/**
 * The terminal or log reads UTF-8: the locale says so, as POSIX orders its variables. Windows has no locale
 * variables; its consoles except the old one show all marks. Programs started by macOS's launchd have none
 * either, and macOS is UTF-8 throughout.
 */
export function takesUnicode(
  variables: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform,
): boolean {
  const { LC_ALL, LC_CTYPE, LANG, TERM, TERM_PROGRAM, WT_SESSION } = variables;
  const locale = [LC_ALL, LC_CTYPE, LANG].find((value) => value !== undefined && value !== '');
  // The fonts of Linux's console lack most marks.
  if (TERM === 'linux') return false;
  if (locale !== undefined) return /utf-?8/i.test(locale);
  if (platform === 'win32') return [WT_SESSION, TERM_PROGRAM, TERM].some((value) => value !== undefined);
  return platform === 'darwin';
}
