import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build, type BuildOptions } from 'esbuild';
import { finishDeclarations } from './build/declarations.ts';
import { leanBuiltins, packedByUs, packedFiles, PACKED } from './build/plugins.ts';

/**
 * Writes dist/: the program and the library as ES modules in shared chunks, so that a command reads only what it
 * needs; the library as CommonJS; Knex, the SQL parser and the parser of code as one file each, which both use; and
 * the script of the page that `report --html` writes, for browsers. Packages under
 * `dependencies` stay outside. Smaller packages go in, with their licences: finding their files takes longer
 * than running them. Peer dependencies are the application's own.
 */
const manifest = JSON.parse(await readFile('package.json', 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
  peerDependencies: Record<string, string>;
};

/** The entries of the package, by the name of their file in dist/, without extension. */
const entries = Object.fromEntries(
  [
    'index',
    'testing',
    ...['tenants', 'knex', 'kysely', 'drizzle', 'prisma'].map((name) => `app/${name}`),
  ].map((name) => [name, `src/${name}.ts`]),
);

const common = {
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node22.18',
  external: [
    ...Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies }),
    ...PACKED.map((name) => `./${name}.cjs`),
  ].filter((name) => name !== 'knex'),
  // Not minified: an uncaught error prints a line of the file.
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
  metafile: true,
  define: { TENANTCTL_VERSION: JSON.stringify(manifest.version) },
} as const satisfies BuildOptions;

const outputs = await Promise.all([
  build({
    ...common,
    entryPoints: { cli: 'src/cli/main.ts', ...entries },
    splitting: true,
    format: 'esm',
    plugins: [packedFiles, leanBuiltins],
  }),
  build({
    ...common,
    entryPoints: entries,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    plugins: [packedFiles],
  }),
  build({
    ...common,
    entryPoints: {
      knex: 'src/db/knex/packed-knex.ts',
      parser: 'src/db/packed-parser.ts',
      syntax: 'src/core/code/packed-syntax.ts',
    },
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    plugins: [packedByUs, leanBuiltins],
    sourcemap: false,
    // Node reads a CommonJS file twice when it is imported: once to find its exports.
    minifyWhitespace: true,
    lineLimit: 200,
  }),
  build({
    entryPoints: [
      { in: 'src/page/main.ts', out: 'page' },
      { in: 'src/page/page.css', out: 'page' },
    ],
    outdir: 'dist',
    bundle: true,
    minify: true,
    format: 'iife',
    target: 'es2023',
    // The page is passed on without this package.
    legalComments: 'eof',
    logLevel: 'warning',
    metafile: true,
  }),
]);

// Only now, so that a program that is at work keeps the files that it has yet to load.
const written = new Set(
  outputs.flatMap(({ metafile }) => Object.keys(metafile.outputs)).map((path) => basename(path)),
);
for (const name of await readdir('dist')) {
  if (/\.(?:c?js|map)$/.test(name) && !written.has(name)) await rm(join('dist', name));
}

const inputs = outputs.flatMap(({ metafile }) => Object.keys(metafile.inputs));
await writeLicences(inputs.filter((path) => !/^\w+:/.test(path)));

// The declarations, for those who use the library; the tests do without.
if (process.argv.includes('--types')) {
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  await finishDeclarations(
    'dist',
    Object.keys(entries).map((name) => `${name}.d.ts`),
  );
}

/** The licence of each package of which a file went into the bundle. */
async function writeLicences(inputs: readonly string[]): Promise<void> {
  const folders = new Set(inputs.map((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]));
  const texts: string[] = [];
  for (const folder of [...folders].filter((each) => each !== undefined).toSorted()) {
    const { name, version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
      name: string;
      version: string;
    };
    const files = await readdir(folder);
    // Some packages have their licence in the README.
    const file = [/^licen[cs]e/i, /^readme/i]
      .map((name) => files.find((each) => name.test(each)))
      .find(Boolean);
    if (file === undefined) throw new Error(`${name} has no licence file`);
    const notice = files.find((each) => each === 'NOTICE');
    const parts = [file, ...(notice === undefined ? [] : [notice])].map((name) =>
      readFile(join(folder, name), 'utf8'),
    );
    const text = (await Promise.all(parts)).map((part) => part.trim()).join('\n\n');
    texts.push(`${name} ${version}\n\n${text}\n`);
  }
  await writeFile('dist/LICENCES-OF-BUNDLED-PACKAGES.txt', texts.join(`\n${'-'.repeat(80)}\n\n`));
}
