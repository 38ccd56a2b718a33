import { expect, test } from 'vitest';
import { KINDS, caseText, parseCase } from '../../faults/case.ts';
import { everyKill, schedule, type Score } from '../../faults/schedule.ts';
import { inOneStep } from '../../faults/verb-states.ts';
import { nameOf, nameOfString } from '../../faults/wire/names.ts';

function score(id: string, names: readonly string[]): Score {
  const points = new Map(
    names.flatMap((name) => ['before', 'sent', 'after'].map((moment) => [`${moment} ${name}`, 3] as const)),
  );
  const heard = { points, durationMs: 700 };
  return {
    scenario: { id, verb: { between: inOneStep, writesFiles: true } },
    heard: { statements: heard, whole: heard },
  };
}

const SCORES = [score('tenant-drop', ['lock', 'commit']), score('tenant-backup', ['status change'])];

test('the same seed strikes the same, another one something else', () => {
  expect(schedule(SCORES, 60, 1)).toEqual(schedule(SCORES, 60, 1));
  expect(schedule(SCORES, 60, 1)).not.toEqual(schedule(SCORES, 60, 2));
});

test('at least 210 of 264 faults are kills, and every kind is among the others', () => {
  const kinds = schedule(SCORES, 264, 1).map(({ kind }) => kind);
  expect(kinds).toHaveLength(264);
  expect(kinds.filter((kind) => kind === 'kill').length).toBeGreaterThanOrEqual(210);
  expect(new Set(kinds)).toEqual(new Set(KINDS));
});

test('a sample has every kind, and strikes at every scenario', () => {
  const scores = Array.from({ length: 12 }, (_, nth) => score(`command-${nth}`, ['lock']));
  for (const seed of [1, 2, 3]) {
    const cases = schedule(scores, 76, seed);
    expect(new Set(cases.map(({ kind }) => kind)).size).toBe(KINDS.length);
    expect(new Set(cases.map(({ scenario }) => scenario)).size).toBe(12);
  }
});

test('kills come to every point before they come to one again', () => {
  const struck = schedule(SCORES, 24, 3)
    .filter(({ kind, passing }) => kind === 'kill' && passing === 'statements')
    .flatMap(({ instant }) => ('point' in instant ? [instant.point] : []));
  expect(struck).toHaveLength(9);
  expect(new Set(struck).size).toBe(9);
});

test('the disk with the backups is full only for a command that writes some', () => {
  const without = SCORES.map(({ scenario: { id }, heard }) => ({ scenario: { id }, heard }));
  expect(schedule(without, 60, 1).map(({ kind }) => kind)).not.toContain('full-folder');
});

test('all kills are one at each point, each time that it is passed', () => {
  const cases = everyKill(SCORES).map(caseText);
  expect(cases).toHaveLength(2 * 3 * 3 * 3);
  expect(new Set(cases).size).toBe(cases.length);
});

test('a case is found again by its words', () => {
  for (const one of schedule(SCORES, 100, 5)) expect(parseCase(caseText(one))).toEqual(one);
  expect(parseCase('migrate-tenants: tickle, whole, at 3 ms')).toBeUndefined();
});

test.each([
  ['BEGIN ISOLATION LEVEL READ COMMITTED', 'begin'],
  [`SELECT pg_try_advisory_xact_lock(hashtextextended('tenantctl:tenant:tid_a', 0)) AS locked`, 'lock'],
  [`SELECT pg_try_advisory_xact_lock(hashtextextended('tenantctl:lease:7', 0)) AS locked`, 'the lease'],
  [`CALL tenantctl.enter('tid_a', NULL)`, 'lock and check'],
  [
    `INSERT INTO "tid_a"."knex_migrations_tenant" (name, batch, migration_time) VALUES ('1', 1, now())`,
    'history insert',
  ],
  [`SELECT tenantctl.stamp('tid_a')`, 'stamp'],
  [`CREATE FUNCTION "tid_a".tenantctl_unstamp_0123456789() RETURNS trigger`, 'stamp'],
  [`UPDATE public.tenants SET status = 'ACTIVE'`, 'status change'],
  [`INSERT INTO tenantctl.intents (schema_name) VALUES ('tid_a')`, 'intent'],
  [`INSERT INTO tenantctl.verb_intents AS i (tenant) VALUES (1)`, "verb's beginning"],
  [`COPY tid_a.notes (id) FROM STDIN`, 'COPY FROM'],
  [`-- a comment\nCREATE INDEX CONCURRENTLY one ON two (three)`, 'statement CREATE INDEX'],
])('a point has the name of what is done there: %s', (statement, name) => {
  expect(nameOf(statement)).toBe(name);
});

test('a string is named for what tells most in it', () => {
  const name = nameOfString(['BEGIN', 'SET LOCAL lock_timeout = 1', `SELECT tenantctl.stamp('a')`, 'COMMIT']);
  expect(name).toBe('stamp, commit');
});
