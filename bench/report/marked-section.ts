import { readFile, writeFile } from 'node:fs/promises';

const BEGIN = '<!-- bench:begin: `pnpm bench --markdown` writes what follows -->';
const END = '<!-- bench:end -->';

/** Replaces the text between a document's two marks. @throws Error if they are missing */
export async function replaceMarkedSection(file: string, text: string): Promise<void> {
  const document = await readFile(file, 'utf8');
  const from = document.indexOf(BEGIN);
  const to = document.indexOf(END);
  if (from === -1 || to < from) throw new Error(`${file} lacks the lines "${BEGIN}" and "${END}"`);
  const before = document.slice(0, from + BEGIN.length);
  await writeFile(file, `${before}\n\n${text}\n\n${document.slice(to)}`);
}
