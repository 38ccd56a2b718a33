import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { build } from 'esbuild';

// JavaScript for Node, in a few files: what --help needs is one of them, the rest is loaded when a command wants it.
// What package.json names as dependencies stays outside.
const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
const { metafile } = await build({
  entryPoints: { cli: 'src/cli/main.ts', index: 'src/index.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  packages: 'external',
  define: { TENANTCTL_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
  metafile: true,
});

// Only now, so that a program that is at work keeps the files that it has yet to load.
const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
for (const name of await readdir('dist')) {
  if (name.endsWith('.js') && !written.has(name)) await rm(join('dist', name));
}

// The declarations, for those who use the library; the tests do without.
if (process.argv.includes('--types'))
  execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
