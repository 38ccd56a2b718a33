import { readFile, writeFile } from 'node:fs/promises';

const END = '<!-- bench:end -->';

/**
 * Replaces the text between a document's two marks.
 * @param command what writes it, as the first mark says
 * @throws Error if they are missing
 */
export async function replaceMarkedSection(file: string, command: string, text: string): Promise<void> {
  const begin = `<!-- bench:begin: \`${command}\` writes what follows -->`;
  const document = await readFile(file, 'utf8');
  const from = document.indexOf(begin);
  const to = document.indexOf(END);
  if (from === -1 || to < from) throw new Error(`${file} lacks the lines "${begin}" and "${END}"`);
  const before = document.slice(0, from + begin.length);
  await writeFile(file, `${before}\n\n${text}\n\n${document.slice(to)}`);
}
