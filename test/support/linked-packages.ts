import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Lets the files of a folder import this repository's packages, and `tenantctl` itself as it is built. */
export async function linkPackages(folder: string): Promise<void> {
  const modules = join(import.meta.dirname, '../../node_modules');
  await mkdir(join(folder, 'node_modules'));
  for (const name of await readdir(modules))
    await symlink(join(modules, name), join(folder, 'node_modules', name));
  await symlink(join(modules, '..'), join(folder, 'node_modules/tenantctl'));
}
