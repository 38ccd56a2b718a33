import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import pLimit from 'p-limit';
import { withPostgres } from '../support/with-postgres.ts';
import { APPLICATION } from './calls.ts';
import { HITS_SERVER, type Case } from './case.ts';
import { createDatabases } from './databases.ts';
import { readMigrations, withProjects } from './projects.ts';
import { makeReference, type Reference } from './reference.ts';
import { failureText, summaryText, tally, type Judged } from './report.ts';
import { runCase } from './run-case.ts';
import type { Scenario } from './scenario.ts';
import { scenariosFor } from './scenarios.ts';
import { everyKill, schedule } from './schedule.ts';
import { readSettings } from './settings.ts';
import { createStage, type Stage } from './stage.ts';

/** Rare checkpoints, and new WAL files are not zeroed. */
const SERVER = ['max_wal_size=8GB', 'checkpoint_timeout=30min', 'wal_init_zero=off', 'max_connections=200'];

/** Parallel cases that wait a minute for a server timeout and need almost no CPU. */
const PATIENT_LANES = 8;

const settings = readSettings(process.argv.slice(2));
const say = (line: string) => console.log(line);
const startedAt = performance.now();
const migrations = await readMigrations(settings.masterFolder, settings.tenantFolder);
const wanted = scenariosFor(migrations).filter(
  ({ id }) =>
    (settings.scenarios.length === 0 || settings.scenarios.includes(id)) &&
    (settings.only === undefined || settings.only.scenario === id),
);
const judged = await withPostgres({ isDurable: true, canFillDisk: true, settings: SERVER }, (server) =>
  withProjects(migrations, async (projects) => {
    const databases = createDatabases(server);
    // fsync may be off until faults strike.
    await databases.setDurable(false);
    await databases.query(`CREATE ROLE ${APPLICATION}`);
    const stage = createStage(databases, projects);
    const references = await makeReferences(stage, wanted);
    await databases.setDurable(true);
    const cases = chooseCases(references);
    say(
      `Seed ${settings.seed}: ${cases.length} faults over ${references.map(({ scenario }) => scenario.id).join(', ')}.`,
    );
    return runCases(stage, references, cases);
  }),
);
const tallies = tally(judged);
say(summaryText(tallies, settings.seed, Math.round((performance.now() - startedAt) / 1000)));
if (settings.json !== undefined) {
  await mkdir(dirname(settings.json), { recursive: true });
  await writeFile(settings.json, `${JSON.stringify({ seed: settings.seed, ...tallies }, null, 2)}\n`);
}
process.exitCode = tallies.failed > 0 || judged.length === 0 ? 1 : 0;

function chooseCases(references: readonly Reference[]): readonly Case[] {
  if (settings.only !== undefined) return [settings.only];
  if (settings.all) return everyKill(references);
  const isVerb = ({ scenario }: Reference) => scenario.verb !== undefined;
  return [
    ...schedule(
      references.filter((each) => !isVerb(each)),
      settings.iterations,
      settings.seed,
    ),
    ...schedule(references.filter(isVerb), settings.verbs, settings.seed),
  ];
}

/** The undisturbed runs. Scenarios that a user's migrations do not allow are skipped. */
async function makeReferences(stage: Stage, scenarios: readonly Scenario[]): Promise<Reference[]> {
  const lane = pLimit(settings.lanes);
  const made = await Promise.all(
    scenarios.map((scenario) =>
      lane(async () => {
        try {
          return await makeReference(stage, scenario);
        } catch (error) {
          if (settings.isOwn) throw error;
          say(`${scenario.id} is left out: ${error instanceof Error ? error.message : String(error)}`);
          return undefined;
        }
      }),
    ),
  );
  return made.filter((reference) => reference !== undefined);
}

/** Runs last, and one at a time, what hits the server. */
async function runCases(
  stage: Stage,
  references: readonly Reference[],
  cases: readonly Case[],
): Promise<Judged[]> {
  const lanes = { busy: pLimit(settings.lanes), patient: pLimit(PATIENT_LANES) };
  const judged: Judged[] = [];
  const judge = async (one: Case): Promise<void> => {
    const reference = references.find(({ scenario }) => scenario.id === one.scenario);
    if (reference === undefined) throw new Error(`There is no scenario ${one.scenario}.`);
    const verdict = { case: one, ...(await runCase(stage, reference, one)) };
    judged.push(verdict);
    if (verdict.findings.length > 0) say(failureText(verdict, flagsOf()));
    if (judged.length % 20 === 0) say(`${judged.length} faults judged.`);
    const earlier = sooner(one);
    if (!verdict.hasStruck && earlier !== undefined && settings.only === undefined) await judge(earlier);
  };
  const hitsServer = ({ kind }: Case) => HITS_SERVER.has(kind);
  const isPatient = ({ kind }: Case) => kind === 'stall' || kind === 'half-close';
  await Promise.all(
    cases
      .filter((one) => !hitsServer(one))
      .map((one) => (isPatient(one) ? lanes.patient : lanes.busy)(() => judge(one))),
  );
  for (const one of cases.filter(hitsServer)) await judge(one);
  return judged;
}

/** Repeats a missed case at half the time or count, because this run was faster than the undisturbed one. */
function sooner(one: Case): Case | undefined {
  const { instant } = one;
  if ('ms' in instant)
    return instant.ms < 2 ? undefined : { ...one, instant: { ms: Math.floor(instant.ms / 2) } };
  return instant.nth < 2 ? undefined : { ...one, instant: { ...instant, nth: Math.floor(instant.nth / 2) } };
}

/** The flags that determine what the cases strike. */
function flagsOf(): string {
  if (settings.isOwn) return '';
  return ` --migrations ${settings.tenantFolder} --master-migrations ${settings.masterFolder}`;
}
