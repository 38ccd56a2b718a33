import { readSeeds, type Seed } from '../plan/plan-seeds.ts';
import type { RunContext } from '../run/run-context.ts';

export async function loadSeeds(
  { load }: Pick<RunContext, 'load'>,
  path: string,
  only?: readonly string[],
): Promise<readonly Seed[]> {
  const files = await readSeeds(path, only);
  const loaded = await Promise.all(files.map(load));
  return loaded.map(({ file, checksum }) => ({ file, name: file.name, checksum }));
}
