import type { Check } from '../../../src/core/doctor/check.ts';
import { diagnose } from '../../../src/core/doctor/diagnose.ts';
import type { DiagnoseOptions } from '../../../src/core/doctor/facts.ts';
import type { TestProject } from '../../support/project.ts';
import type { DatabaseSettings } from '../../../src/db/database.ts';

/** The doctor's answer for a project and a database. */
export function examine(
  project: TestProject,
  database: DatabaseSettings,
  more: Partial<DiagnoseOptions> = {},
) {
  return diagnose({
    nodeVersion: process.versions.node,
    database,
    folders: { master: project.master, tenants: project.tenants },
    vectorExtension: 'off',
    ...more,
  });
}

/** The line with this id. */
export function line({ checks }: { readonly checks: readonly Check[] }, id: string): Check {
  const found = checks.find((check) => check.id === id);
  if (found === undefined) throw new Error(`no check ${id}: ${checks.map((check) => check.id).join(', ')}`);
  return found;
}

/** "id: detail" of every line that failed. */
export function failures({ checks }: { readonly checks: readonly Check[] }): string[] {
  return checks.filter(({ status }) => status === 'failed').map(({ id, detail }) => `${id}: ${detail}`);
}

/** The remedy, which must be there. */
export function remedyOf(check: Check): string {
  if (check.remedy === undefined) throw new Error(`${check.id} (${check.status}) has no remedy`);
  return check.remedy;
}

/** The first statement in a remedy in prose that begins with these words. */
export function statementIn(check: Check, beginning: string): string {
  const remedy = remedyOf(check);
  const at = remedy.indexOf(beginning);
  if (at === -1) throw new Error(`no ${beginning} in: ${remedy}`);
  return remedy.slice(at, remedy.indexOf(';', at) + 1);
}
