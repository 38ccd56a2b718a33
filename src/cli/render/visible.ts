/** Control characters, and those that reverse the direction of what follows: text from outside must not move the cursor. */
const CONTROLS = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;

/** The colours of the program's own texts, line breaks and tabs, or one control character. Others may hide text. */
const PARTS = /\p{Cc}\[(?:22?|1|3[1236]|39)m|\r?\n|\t|[\p{Cc}\u2028-\u202e\u2066-\u2069]/gu;

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Data in one line, with its control characters escaped. */
export function visible(text: string): string {
  return text.replaceAll(CONTROLS, escaped);
}

/** The program's own text, which may quote data: line breaks and tabs stay, and colours where there are any. */
export function visibleText(text: string, hasColors = true): string {
  return text.replaceAll(PARTS, (part) =>
    /[\n\t]/.test(part) || (hasColors && part.startsWith('\u001B[')) ? part : escaped(part),
  );
}

/** With its first character escaped. */
function escaped(part: string): string {
  const [first = ''] = part;
  return `${ESCAPES[first] ?? `\\u${first.charCodeAt(0).toString(16).padStart(4, '0')}`}${part.slice(1)}`;
}
