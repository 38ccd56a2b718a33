import { readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import type { Plugin } from 'esbuild';

/** The files of dist/ that hold a package each, and what they are built from. */
export const PACKED = ['knex', 'parser', 'syntax'] as const;

/**
 * To import one of Node's modules is to read all that it exports, and so to load what Node itself would load only when
 * it is used: fs.promises, process.stdin, the decoders of util. That takes a quarter of the time of `node -e 0`. Got by
 * process.getBuiltinModule, only what is used is read. Bundlers that write ES modules accept it too, unlike require.
 */
export const leanBuiltins: Plugin = {
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

/** Loads a packed package from its own file. Bundlers find the file by its literal name. */
export const packedFiles: Plugin = {
  name: 'packed-files',
  setup(build) {
    build.onResolve({ filter: /\/packed-(?:knex|parser|syntax)\.ts$/ }, ({ path }) => {
      const file = `./${/packed-(\w+)/.exec(path)?.[1]}.cjs`;
      return build.initialOptions.format === 'cjs'
        ? { path: file, namespace: 'packed' }
        : { path: file, external: true };
    });
    // In CommonJS an external import() stays one, which Jest cannot run.
    build.onLoad({ filter: /.*/, namespace: 'packed' }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** What is to be found at run time, in the project: a bundler would want it installed. */
const OPTIONAL = /^(?:pg-native|pg-query-stream)$/;

/** The parts of Knex that serve other databases. */
const OTHER_DIALECT =
  /\/(?:better-sqlite3|cockroachdb|mariadb|mssql|mysql|mysql2|oracle|oracledb|redshift|sqlite3)$/;

/** Writes a package so that any bundler can take it: no file beside it, no package of another database. */
export const packedByUs: Plugin = {
  name: 'packed-by-us',
  setup(build) {
    build.onResolve({ filter: OPTIONAL }, ({ path }) => ({ path, namespace: 'optional' }));
    build.onLoad({ filter: /.*/, namespace: 'optional' }, ({ path }) => ({
      contents: `module.exports = require('node:module').createRequire(process.cwd() + '/')(${JSON.stringify(path)});`,
      resolveDir: '.',
    }));
    build.onResolve({ filter: OTHER_DIALECT }, ({ path, importer }) =>
      importer.endsWith('/knex/lib/dialects/index.js') ? { path, namespace: 'absent' } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'absent' }, () => ({
      contents: "throw new Error('This Knex is for PostgreSQL.');",
    }));
    // A migration has no use for Knex's own migrations, whose import() of any file bundlers warn of.
    build.onLoad({ filter: /\/knex\/lib\/migrations\/util\/import-file\.js$/ }, () => ({
      contents: "module.exports = () => { throw new Error('tenantctl runs the migrations.'); };",
    }));
    build.onLoad({ filter: /libpg-query\/wasm\/libpg-query\.js$/ }, async ({ path }) => {
      const wasm = await readFile(join(dirname(path), 'libpg-query.wasm'));
      const packed = brotliCompressSync(wasm).toString('base64');
      // In one piece: each further one would wait until the main thread is idle.
      const unpacked = `await require('node:util').promisify(require('node:zlib').brotliDecompress)(Buffer.from('${packed}', 'base64'), { chunkSize: ${wasm.length} })`;
      let code = await readFile(path, 'utf8');
      for (const [part, instead] of [
        ['await readAsync(binaryFile)', unpacked],
        ['scriptDirectory=__dirname+"/";', ''],
      ] as const) {
        if (code.split(part).length !== 2) throw new Error(`${path} has changed: ${part}`);
        code = code.replace(part, () => instead);
      }
      return { contents: code };
    });
  },
};
