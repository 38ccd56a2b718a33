import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';

// JavaScript for Node, in a few files: what --help needs is one of them, the rest is loaded when a command wants it.
// What package.json names as dependencies stays outside; the small packages that only the program needs go in, since
// finding their many files takes longer than running them. Their licences go with them.
const manifest = JSON.parse(await readFile('package.json', 'utf8')) as {
  version: string;
  dependencies: Record<string, string>;
};
const dependencies = Object.keys(manifest.dependencies);

/**
 * To import one of Node's modules is to read all that it exports, and so to load what Node itself would load only when
 * it is used: fs.promises, process.stdin, the decoders of util. That takes a quarter of the time of `node -e 0`. Got by
 * process.getBuiltinModule, only what is used is read.
 */
const leanBuiltins: Plugin = {
  name: 'lean-builtins',
  setup(build) {
    build.onResolve({ filter: /^[a-z_:/]+$/ }, ({ path, kind, importer }) => {
      if (!isBuiltin(path) || (kind !== 'import-statement' && kind !== 'require-call')) return undefined;
      // One for each importer: what several share would become a file of its own, to be found and read.
      return { path, namespace: 'node', suffix: `?${kind} ${relative('.', importer)}` };
    });
    build.onLoad({ filter: /.*/, namespace: 'node' }, async ({ path, suffix }) => {
      // Commander wants it for commands that are programs of their own, of which there are none.
      if (path === 'node:child_process' && suffix.includes('/commander/'))
        return { contents: 'export default {};' };
      const got = `process.getBuiltinModule(${JSON.stringify(path)})`;
      if (suffix.startsWith('?require-call')) return { contents: `module.exports = ${got};` };
      const names = Object.keys((await import(path)) as object).filter((name) =>
        /^(?!default$)\w+$/.test(name),
      );
      const pure = (expression: string) => `/* @__PURE__ */ (() => ${expression})()`;
      return {
        contents: [
          `const builtin = ${pure(got)};`,
          'export default builtin;',
          ...names.map((name) => `export const ${name} = ${pure(`builtin.${name}`)};`),
        ].join('\n'),
      };
    });
  },
};

/** What Knex loads only for other databases than PostgreSQL, and what a project has of its own. */
const OTHER_DRIVERS = [
  'better-sqlite3',
  'mariadb',
  'mysql',
  'mysql2',
  'oracledb',
  'pg-native',
  'pg-query-stream',
  'sqlite3',
  'tedious',
];

/** Knex stays outside, for projects that extend theirs, but for the one file that is to hold it. */
const packedKnex: Plugin = {
  name: 'packed-knex',
  setup(build) {
    build.onResolve({ filter: /^knex$/ }, ({ path, importer, pluginData }) => {
      if (pluginData === 'packed') return undefined;
      if (!importer.endsWith('packed-knex.ts')) return { path, external: true };
      return build.resolve('./knex.js', {
        kind: 'require-call',
        resolveDir: resolve('node_modules/knex'),
        pluginData: 'packed',
      });
    });
  },
};

const { metafile } = await build({
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  external: [...dependencies.filter((name) => name !== 'knex'), '@electric-sql/*', ...OTHER_DRIVERS],
  // Comments and indentation are half of it, and would be read at every start. Names stay, for the sake of stacks.
  minifyWhitespace: true,
  plugins: [packedKnex, leanBuiltins],
  define: { TENANTCTL_VERSION: JSON.stringify(manifest.version) },
  logLevel: 'warning',
  metafile: true,
});

// Only now, so that a program that is at work keeps the files that it has yet to load.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of await readdir('dist')) {
  if (name.endsWith('.js') && !written.has(name)) await rm(join('dist', name));
}

await writeLicences(Object.keys(metafile.inputs).filter((path) => !path.startsWith('node:')));

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
