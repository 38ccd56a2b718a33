import { toTenantctlError, type TenantctlError } from '../../errors.ts';
import { loadMigration } from '../files/load.ts';
import { readMigrationFolder, type MigrationFile, type MigrationFolder } from '../files/source.ts';
import { attempt, type Attempt } from './attempt.ts';
import { failed, kebab, ok, refused, skipped, type Check, type Verdict } from './check.ts';
import { counted, shellWord } from '../../wording.ts';

interface BrokenFile {
  readonly file: MigrationFile;
  readonly error: TenantctlError;
}

export type FolderFacts = Attempt<MigrationFolder> & {
  readonly directory: string;
  /** A variable sets it: the configuration is wrong if the folder does not exist. */
  readonly isNamed: boolean;
  readonly broken: readonly BrokenFile[];
  /** The first file with a column of a pgvector type. */
  readonly needsVector: string | undefined;
};

/** vector(1536), halfvec(...), sparsevec(...) */
const VECTOR_COLUMN = /\b(?:vector|halfvec|sparsevec)\s*\(\s*\d/i;

/** Loads every file, which executes its top level. Does not throw. */
export async function readFolderFacts(
  directory: string,
  isNamed = false,
  read = readMigrationFolder,
): Promise<FolderFacts> {
  const folder = await attempt(() => read(directory));
  const broken: BrokenFile[] = [];
  let needsVector: string | undefined;
  for (const file of folder.facts?.files ?? []) {
    try {
      const { text } = await loadMigration(file);
      if (needsVector === undefined && VECTOR_COLUMN.test(text)) needsVector = file.name;
    } catch (error) {
      broken.push({ file, error: toTenantctlError(error) });
    }
  }
  return { ...folder, directory, isNamed, broken, needsVector };
}

/** @param keptElsewhere another tool maintains the registry, so master migrations are optional */
export function folderChecks(
  folders:
    | (Readonly<Record<'master' | 'tenants', FolderFacts>> &
        Readonly<Partial<Record<'seeds' | 'repeatable', FolderFacts | undefined>>>)
    | undefined,
  keptElsewhere: boolean,
): Check[] {
  return [
    ...checksOf('master', folders?.master, keptElsewhere),
    ...checksOf('tenant', folders?.tenants, false),
    ...optionalChecks('seed', folders?.seeds),
    ...optionalChecks('repeatable', folders?.repeatable),
  ];
}

const KINDS = {
  master: { title: 'Master', files: 'Master migrations', variable: 'MASTER_MIGRATIONS_DIR' },
  tenant: { title: 'Tenant', files: 'Tenant migrations', variable: 'TENANT_MIGRATIONS_DIR' },
  seed: { title: 'Seed', files: 'Seeds', variable: 'TENANT_SEEDS_DIR' },
  repeatable: { title: 'Repeatable', files: 'Repeatable scripts', variable: 'TENANT_REPEATABLE_DIR' },
} as const;

type Kind = keyof typeof KINDS;

/** A project need not have such a folder. */
function optionalChecks(kind: Kind, facts: FolderFacts | undefined): Check[] {
  const isAbsent = facts?.error?.code.endsWith('_FOLDER_MISSING') === true;
  return facts === undefined || (isAbsent && !facts.isNamed) ? [] : checksOf(kind, facts, false);
}

function checksOf(kind: Kind, facts: FolderFacts | undefined, mayBeAbsent: boolean): Check[] {
  const { title, files: filesTitle } = KINDS[kind];
  const checks = (ofFolder: Verdict, ofFiles: Verdict): [Check, Check] => [
    { id: `${kind}-folder`, title: `${title} folder`, ...ofFolder },
    { id: `${kind}-files`, title: filesTitle, ...ofFiles },
  ];
  const none = skipped('there are none');
  const unknown = skipped('the configuration cannot be read');
  if (facts === undefined) return checks(unknown, unknown);
  const { directory, isNamed, error } = facts;
  if (error !== undefined) {
    const isAbsent = error.code.endsWith('_FOLDER_MISSING');
    if (mayBeAbsent && isAbsent && !isNamed)
      return checks(ok('none; another tool maintains the registry'), none);
    const verdict = isAbsent ? absent(kind, directory, isNamed) : refused(error);
    return checks(verdict, skipped('the folder cannot be read'));
  }
  const { files } = facts.facts;
  if (files.length === 0) {
    const empty = {
      master: failed(`${directory} holds no migrations`, 'tenantctl init', 'MIGRATIONS_FOLDER_EMPTY'),
      tenant: ok(`${directory} holds no migrations yet; tenantctl make tenant <name> writes the first`),
      seed: ok(`${directory} holds no seeds yet; tenantctl make seed <name> writes the first`),
      repeatable: ok(`${directory} holds no scripts yet`),
    }[kind];
    return checks(empty, none);
  }
  const range =
    files.length === 1 ? `, ${files[0]?.name}` : `, from ${files[0]?.name} to ${files.at(-1)?.name}`;
  const [folderCheck, filesCheck] = checks(ok(directory), ok(`${counted(files.length, 'file')}${range}`));
  if (facts.broken.length === 0) return [folderCheck, filesCheck];
  const brokenChecks = facts.broken.map(({ file, error }) => ({
    id: `${kind}-file-${kebab(file.name)}`,
    title: `${title} file`,
    ...refused(error),
  }));
  return [folderCheck, ...brokenChecks];
}

function absent(kind: Kind, directory: string, isNamed: boolean): Verdict {
  if (!isNamed) return failed(`${directory} does not exist`, 'tenantctl init', 'MIGRATIONS_FOLDER_MISSING');
  const { variable } = KINDS[kind];
  return failed(
    `${variable}: ${directory} is not a directory`,
    `mkdir -p ${shellWord(directory)} # or correct ${variable}: it is relative to the current directory`,
    'CONFIG_INVALID',
  );
}
