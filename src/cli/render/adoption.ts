import type { AdoptionResult } from '../../core/tenant/adopt.ts';
import type { AdoptionCandidates, Candidate } from '../../core/tenant/adoption/adoption-candidates.ts';
import { counted, listed, shellWord, sumOf } from '../../wording.ts';
import { LISTED, markOf, type Look } from './look.ts';
import { renderTable } from './table.ts';

/** Schemas without a row, and rows without a schema. */
export async function renderCandidates({ schemas, rows }: AdoptionCandidates, look: Look): Promise<string> {
  const { paint, marks } = look;
  const arrow = paint.cyan(marks.arrow);
  const parts: string[] = [];
  if (schemas.length === 0) parts.push(`${paint.green(marks.ok)} Every schema has its row in the registry`);
  else {
    const lines = schemas.map(({ schema, owner, tables, hasHistory, newest, clerkOrgId }) => [
      schema,
      owner,
      String(tables),
      newest ?? (hasHistory ? 'empty' : 'none'),
      clerkOrgId ?? paint.yellow('unknown'),
    ]);
    parts.push(
      await renderTable(['SCHEMA', 'OWNER', 'TABLES', 'HISTORY', 'ORGANIZATION'], lines, look, {
        spare: [1],
      }),
    );
  }
  const unknown = schemas.find(({ clerkOrgId }) => clerkOrgId === null);
  if (unknown !== undefined)
    parts.push(
      `${arrow} A schema's name does not tell its organization. Say it: tenantctl tenant adopt ${shellWord(unknown.schema)}=<org>, or --map <file> for many`,
    );
  if (rows.length > 0) {
    const named = rows.map(
      ({ clerkOrgId, schema, status }) =>
        `${clerkOrgId} (${schema === '' ? 'no schema' : schema}, ${status})`,
    );
    parts.push(
      `${paint.yellow(marks.warning)} ${counted(rows.length, 'row')} without a schema: ${listed(named)}`,
    );
    parts.push(`${arrow} tenantctl doctor says what to do about each`);
  }
  return parts.join('\n');
}

/** @param candidates as they were before; `isPlan`: what would be done */
export function renderAdoptions(
  results: readonly AdoptionResult[],
  candidates: readonly Candidate[],
  isPlan: boolean,
  look: Look,
): string {
  const bySchema = new Map(candidates.map((each) => [each.schema, each]));
  const adopted = results.filter(({ outcome }) => outcome === 'adopted');
  const mark = isPlan
    ? look.paint.cyan(look.marks.arrow)
    : markOf(look, { failed: false, unfinished: false });
  const verb = isPlan ? 'would become' : 'is';
  const lines =
    adopted.length > LISTED
      ? []
      : adopted.map(
          ({ clerkOrgId, schema }) => `${mark} ${clerkOrgId} ${verb} ACTIVE in ${look.paint.bold(schema)}`,
        );
  const count = (...outcomes: AdoptionResult['outcome'][]) =>
    results.filter(({ outcome }) => outcomes.includes(outcome)).length;
  const [failed, skipped] = [count('failed'), count('skipped')];
  if (results.length > 1 || adopted.length + failed === 0) {
    const sums = sumOf([
      [adopted.length, isPlan ? 'would be adopted' : 'adopted'],
      [count('already-adopted'), 'already adopted'],
      [failed, isPlan ? 'would fail' : 'failed'],
      [skipped, 'not started'],
    ]);
    const total = markOf(look, { failed: failed > 0, unfinished: skipped > 0 });
    lines.push(`${total} ${counted(results.length, 'schema')}: ${sums}`);
  }
  const without = adopted.filter(({ schema }) => bySchema.get(schema)?.newest === null);
  if (without.length > 0) {
    const names = listed(without.map(({ clerkOrgId }) => clerkOrgId));
    lines.push(
      `${look.paint.cyan(look.marks.arrow)} Without recorded migrations: ${names}. migrate would run all of them; record those that are there already: tenantctl history mark`,
    );
  }
  return lines.join('\n');
}
