import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';

/** A relative module name, as tsc leaves it in a declaration file. */
const RELATIVE = /(?<=(?:from |import\()(['"]))(\.[^'"]+)\.ts(?=\1)/g;

/**
 * Finishes tsc's declarations. Their imports get the extension that every TypeScript resolves, and a .d.cts stands
 * beside each .d.ts, for those who require the library: in this package a .d.ts describes an ES module.
 * Declarations that no entry needs are deleted.
 */
export async function finishDeclarations(folder: string, entries: readonly string[]): Promise<void> {
  const needed = new Set(entries);
  for (const path of needed) {
    const text = await readFile(join(folder, path), 'utf8');
    for (const [, , name = ''] of text.matchAll(RELATIVE))
      needed.add(relative(folder, join(folder, dirname(path), `${name}.d.ts`)));
    await writeFile(join(folder, path), text.replaceAll(RELATIVE, '$2.js'));
    await writeFile(join(folder, path.replace(/\.ts$/, '.cts')), text.replaceAll(RELATIVE, '$2.cjs'));
  }
  for (const path of await readdir(folder, { recursive: true })) {
    if (!/\.d\.c?ts$/.test(path) || needed.has(path.replace(/\.cts$/, '.ts'))) continue;
    await rm(join(folder, path));
  }
}
