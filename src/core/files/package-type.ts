import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** The `type` of the nearest package.json, found as Node finds it. */
export async function packageType(folder: string): Promise<'module' | 'commonjs'> {
  for (let at = folder; ; at = dirname(at)) {
    const file = join(at, 'package.json');
    if (existsSync(file)) {
      const content = await readFile(file, 'utf8')
        .then<{ type?: unknown }>(JSON.parse)
        .catch(() => undefined);
      return content?.type === 'module' ? 'module' : 'commonjs';
    }
    if (dirname(at) === at) return 'commonjs';
  }
}
