import { TenantctlError } from '../../errors.ts';
import { similarTo } from '../../similar.ts';
import { stemOf, type MigrationFile, type MigrationFolder } from './source.ts';

/** The file of that name, with or without its extension. @throws TenantctlError MIGRATION_UNKNOWN, SEED_UNKNOWN */
export function findMigration({ directory, files }: MigrationFolder, name: string): MigrationFile {
  const found = files.find((file) => file.name === name || file.stem === stemOf(name));
  if (found !== undefined) return found;
  const [code, kind] =
    files[0]?.kind === 'seed'
      ? ['SEED_UNKNOWN' as const, 'seed']
      : ['MIGRATION_UNKNOWN' as const, 'migration'];
  throw new TenantctlError(code, `There is no ${kind} "${name}" in ${directory}.`, {
    hint: didYouMean(name, files) ?? 'Give the name of a file in that folder, with or without its extension.',
  });
}

/** Names begin with a number or a time, which people leave out. */
function didYouMean(name: string, files: readonly MigrationFile[]): string | undefined {
  const wanted = stemOf(name);
  const plain = (stem: string) => stem.replace(/^\d+_/, '');
  const meant = [
    ...similarTo(
      wanted,
      files.map(({ stem }) => stem),
    ),
    ...similarTo(
      plain(wanted),
      files.map(({ stem }) => plain(stem)),
    ),
  ];
  const near = files.filter(({ stem }) => meant.includes(stem) || meant.includes(plain(stem)));
  if (near.length === 0) return undefined;
  return `Did you mean ${near
    .slice(0, 3)
    .map((file) => file.name)
    .join(' or ')}?`;
}
