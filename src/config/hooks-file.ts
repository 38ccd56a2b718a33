import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { TenantctlError } from '../errors.ts';
import type { FolderSettings } from './settings.ts';

const ENDINGS = ['ts', 'mts', 'cts', 'js', 'mjs', 'cjs'];

type Folders = Pick<FolderSettings, 'tenants'>;

/** The hooks file, if there is one: see hooksFiles. @throws TenantctlError HOOKS_INVALID for two of them */
export function findHooks(folder: string, folders: Folders): string | undefined {
  const found = hooksFiles(folder, folders);
  if (found.length > 1)
    throw new TenantctlError('HOOKS_INVALID', `There are several hooks files: ${found.join(', ')}.`, {
      hint: 'Keep one of them.',
    });
  return found[0];
}

/**
 * The files `tenantctl.hooks.ts`, or with another ending of code, in the current folder and beside the folder of the
 * tenant migrations.
 */
export function hooksFiles(folder: string, { tenants }: Folders): string[] {
  const places = new Set([folder, dirname(tenants)]);
  const paths = [...places].flatMap((place) =>
    ENDINGS.map((ending) => join(place, `tenantctl.hooks.${ending}`)),
  );
  return paths.filter((path) => existsSync(path));
}
