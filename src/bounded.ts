/** The most characters of an error's text. With more, a fleet's errors fit neither a document nor the ledger. */
export const MAX_TEXT = 2_000;

/** Stands for what was left out. */
export const CUT = ' [...] ';

/** Only longer texts are cut, so that what was cut once is not cut again if masking makes it a little longer. */
const SLACK = 200;
/** Characters on both sides that are masked with the part that is shown: a secret at its edge is then recognized. */
const MARGIN = 32_768;
/** The beginning of a text that is cut around a later position. */
const HEAD = 300;

/**
 * Masks a text and cuts it to a length that can be shown, stored and sent. Cuts before it masks what is far away:
 * the costs are limited, however long the text is.
 * @param around the offset that must remain visible
 */
export function bounded(text: string, conceal: (text: string) => string, around = 0): string {
  // jsonb accepts no half of a surrogate pair.
  const mask = (part: string) => conceal(part.toWellFormed());
  if (text.length <= MAX_TEXT + SLACK) return mask(text);
  const beginning = mask(text.slice(0, MARGIN));
  const note = `${CUT}(${text.length} characters)`;
  const whole = beginning.length <= MAX_TEXT + SLACK && text.length <= MARGIN;
  if (whole) return beginning;
  if (around < MAX_TEXT / 2) return `${beginning.slice(0, MAX_TEXT - note.length).toWellFormed()}${note}`;
  const from = Math.max(0, around - MARGIN);
  const at = mask(text.slice(from, around)).length;
  const room = (MAX_TEXT - HEAD - CUT.length - note.length) / 2;
  const middle = mask(text.slice(from, around + MARGIN)).slice(Math.max(0, at - room), at + room);
  return `${beginning.slice(0, HEAD)}${CUT}${middle}${note}`.toWellFormed();
}
