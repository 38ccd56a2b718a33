import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../../..');

test('the entry for applications loads pg, and neither Knex nor the engine', async () => {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/app/tenants.ts'],
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
  });
  const outside = Object.values(metafile.outputs).flatMap(({ imports }) => imports.map(({ path }) => path));
  expect([...new Set(outside)].filter((path) => !path.startsWith('node:')).toSorted()).toEqual([
    'pg',
    'pg/lib/utils.js',
  ]);
  const folders = Object.keys(metafile.inputs).map((path) => path.replace(/\/[^/]+$/, ''));
  expect([...new Set(folders)].toSorted()).toEqual([
    'src',
    'src/app',
    'src/core/options',
    'src/core/registry',
    'src/core/report',
    'src/db',
  ]);
});
