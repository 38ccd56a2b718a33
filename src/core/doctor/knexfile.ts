import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf } from '../../errors.ts';
import { readTextFile } from '../../text-file.ts';
import { listed } from '../../wording.ts';
import { ok, warning, type CheckTable } from './check.ts';

/** A knexfile's text, or why it cannot be read. */
export interface KnexfileFacts {
  readonly path: string;
  readonly text: string;
  readonly problem?: string;
}

const NAMES = ['.js', '.ts', '.cjs', '.mjs', '.cts', '.mts'].map((extension) => `knexfile${extension}`);

/**
 * Settings of a knexfile (https://knexjs.org/guide/migrations.html#knexfile-in-other-languages) that change which
 * migrations run, or how, and that tenantctl does not read: how they look, and what to do.
 */
const NOT_READ: Readonly<Record<string, readonly [use: RegExp, remedy: string]>> = {
  wrapIdentifier: [/\bwrapIdentifier\b/, 'Write names in migrations as the database is to have them.'],
  postProcessResponse: [/\bpostProcessResponse\b/, 'Migrations get rows as PostgreSQL names their columns.'],
  'several directories': [
    /\bdirectory\s*:\s*\[[^\]]*,/,
    'Put all migrations of one history into one folder, under the names that the history has.',
  ],
  loadExtensions: [
    /\bloadExtensions\b/,
    'Keep files that are no migrations out of the folder: every .js, .ts and .sql file there counts.',
  ],
  disableTransactions: [
    /\bdisableTransactions\b(?!\s*:\s*false)/,
    'Add export const config = { transaction: false } to each migration that needs it.',
  ],
  migrationSource: [/\bmigrationSource\b/, 'Write the migrations as files.'],
};

/** Looks from the migrations upwards, to the folder of the package. */
export function readKnexfile(migrations: string): KnexfileFacts | undefined {
  for (let folder = migrations; ; folder = dirname(folder)) {
    const path = NAMES.map((name) => join(folder, name)).find((each) => existsSync(each));
    if (path !== undefined) return textOf(path);
    if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return undefined;
  }
}

function textOf(path: string): KnexfileFacts {
  try {
    return { path, text: readTextFile(path, { maxMiB: 1 }) };
  } catch (error) {
    return { path, text: '', problem: messageOf(error) };
  }
}

export const KNEXFILE: CheckTable<KnexfileFacts | undefined> = {
  knexfile: [
    'knexfile',
    (knexfile) => {
      if (knexfile === undefined) return ok('none');
      const name = basename(knexfile.path);
      if (knexfile.problem !== undefined) return warning(`${name} ${knexfile.problem}`, 'Correct it.');
      const code = knexfile.text.replaceAll(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
      const used = Object.entries(NOT_READ).filter(([, [use]]) => use.test(code));
      if (used.length === 0) return ok(`${name} has no setting that changes migrations`);
      return warning(
        `${name} has settings that tenantctl does not read: ${listed(used.map(([setting]) => setting))}`,
        used.map(([setting, [, remedy]]) => `${setting}: ${remedy}`).join(' '),
      );
    },
  ],
};
