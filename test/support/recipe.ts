import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The files of a page of docs/recipes by name: its blocks whose first line is a comment with the file's name. */
export async function readRecipe(page: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(import.meta.dirname, '../../docs/recipes', page), 'utf8');
  const blocks = text.matchAll(/^```\w+\n(?:#|--|\/\/|;) (\S+\.\w+)\n([^]*?)^```/gm);
  return new Map([...blocks].map(([, name = '', content = '']) => [name, content]));
}
