import { isSupported } from '../../db/knex/project-knex.ts';
import { ok, warning, type CheckTable } from './check.ts';

/** Judges the version of the project's own Knex. */
export const KNEX_VERSION: CheckTable<string | undefined> = {
  'knex-version': [
    'Knex',
    (version) => {
      if (version === undefined) return ok("the project has none; tenantctl's own is used");
      if (isSupported(version)) return ok(`${version}, the project's own`);
      return warning(
        `the project has Knex ${version}, which tenantctl cannot use: its own Knex 3 runs the migrations and may send other SQL`,
        'Update the project to Knex 0.21 or newer, and compare a new tenant with an old one before the next deploy.',
      );
    },
  ],
};
