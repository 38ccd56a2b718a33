import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { FolderSettings } from './settings.ts';
import type { Parsed } from './variables.ts';

/** The folders of the migrations: as named, or migrations/…, or else src/…/migrations. */
export function readFolders(parsed: Parsed, folder: string): FolderSettings {
  const choose = (named: string | undefined, usual: string, origin: string) => {
    if (named !== undefined) return resolve(folder, named);
    const [first, second] = [resolve(folder, usual), resolve(folder, origin)];
    return !existsSync(first) && existsSync(second) ? second : first;
  };
  return {
    master: choose(parsed.MASTER_MIGRATIONS_DIR, 'migrations/master', 'src/master/migrations'),
    tenants: choose(parsed.TENANT_MIGRATIONS_DIR, 'migrations/tenants', 'src/tenants/migrations'),
    masterIsNamed: parsed.MASTER_MIGRATIONS_DIR !== undefined,
    tenantsIsNamed: parsed.TENANT_MIGRATIONS_DIR !== undefined,
  };
}
