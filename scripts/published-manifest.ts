import { existsSync } from 'node:fs';
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';

/**
 * While the package is packed, package.json is what its users need: without the scripts, tools and settings of
 * development, and so without a `prepare` that would want to build it. npm's prepack and postpack call this.
 */
const SAVED = 'package.json.saved';
const OF_DEVELOPMENT: ReadonlySet<string> = new Set(['scripts', 'devDependencies', 'packageManager']);

// An interrupted npm pack has left it.
if (existsSync(SAVED)) await rename(SAVED, 'package.json');
if (process.argv[2] === 'write') {
  const manifest = JSON.parse(await readFile('package.json', 'utf8')) as object;
  const published = Object.entries(manifest).filter(([key]) => !OF_DEVELOPMENT.has(key));
  await copyFile('package.json', SAVED);
  await writeFile('package.json', `${JSON.stringify(Object.fromEntries(published), undefined, 2)}\n`);
}
