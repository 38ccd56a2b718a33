import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

// JavaScript for Node, in a few files: what --help needs is one of them, the rest is loaded when a command wants it.
// What package.json names as dependencies stays outside; the small packages that only the program needs go in, since
// finding their many files takes longer than running them. Their licences go with them.
const manifest = JSON.parse(await readFile('package.json', 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};
const dependencies = Object.keys(manifest.dependencies);
const { metafile } = await build({
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  external: [...dependencies, '@electric-sql/*'],
  // dotenv is CommonJS and asks for Node's own modules with require.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
  define: { TENANTCTL_VERSION: JSON.stringify(manifest.version) },
  logLevel: 'warning',
  metafile: true,
});

// Only now, so that a program that is at work keeps the files that it has yet to load.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of await readdir('dist')) {
  if (name.endsWith('.js') && !written.has(name)) await rm(join('dist', name));
}

await writeLicences(Object.keys(metafile.inputs));

// The declarations, for those who use the library; the tests do without.
if (process.argv.includes('--types'))
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });

/** The licence of each package of which a file went into the bundle. */
async function writeLicences(inputs: readonly string[]): Promise<void> {
  const folders = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]));
  const texts: string[] = [];
  for (const folder of [...folders].filter((each) => each !== undefined).toSorted()) {
    const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
    };
    const file = (await readdir(folder)).find((each) => /^licen[cs]e/i.test(each));
    if (file === undefined) throw new Error(`${name} has no licence file`);
    texts.push(`${name} ${version}\n\n${(await readFile(join(folder, file), 'utf8')).trim()}\n`);
  }
  await writeFile('dist/LICENCES-OF-BUNDLED-PACKAGES.txt', texts.join(`\n${'-'.repeat(80)}\n\n`));
}
