import type { CliResult } from '../support/cli.ts';
import type { Call } from './calls.ts';
import type { FaultDatabase } from './databases.ts';
import { judgeEnd, type Findings } from './judge.ts';
import { judgeFiles } from './judge-files.ts';
import { start } from './program.ts';
import type { Reference } from './reference.ts';
import { resolveIntents } from './resolve.ts';
import { takeSnapshot, type IntentSnapshot, type Snapshot } from './snapshot.ts';
import type { Stage } from './stage.ts';

/**
 * Repeats the command undisturbed, and judges that it finishes. If a migration outside a transaction was
 * interrupted, it must report that and leave the tenant alone, and finish once that is resolved by hand.
 */
export async function finishJob(
  stage: Stage,
  reference: Reference,
  database: FaultDatabase,
  remains: Snapshot,
): Promise<Findings> {
  const { intents } = remains;
  const findings: string[] = [];
  // What `restore --replace` builds beside a tenant is none: doctor names it.
  const verbs = remains.verbs
    .filter(({ schema }) => remains.tenants.some((tenant) => tenant.schema === schema))
    .map(({ schema, verb }) => ({ schema, problem: `its ${verb} began` }));
  if (verbs.length > 0) findings.push(...(await statusReports(stage, reference, database, verbs)));
  if (intents.length > 0) {
    findings.push(...reported(await call(stage, reference.scenario.call, database), intents));
    const interrupted = intents.map(({ schema, migration }) => ({ schema, problem: migration }));
    findings.push(...(await statusReports(stage, reference, database, interrupted)));
    const { projects, databases } = stage;
    const { extent } = reference.scenario.call;
    const answers = async (schema: string, answer: string) =>
      (await start(projects, { args: ['resolve', schema, answer], extent }, database, databases.server.port))
        .done;
    findings.push(...(await resolveIntents(database, intents, reference, answers)));
  }
  const { resume } = reference.scenario.verb ?? {};
  const isRecorded = remains.runs.length > reference.start.runs.length;
  const next = isRecorded && resume !== undefined ? resume : reference.scenario.call;
  const result = await call(stage, next, database);
  if (result?.exitCode !== 0 && !isRefused(result, reference, remains))
    findings.push(`the next run ended with ${result?.exitCode}: ${result?.stderr}${result?.stdout}`);
  const byHand = new Set(intents.map(({ schema }) => schema));
  const end = await takeSnapshot(database);
  const folder = await stage.projects.backupFolder(database.name);
  return [
    ...findings,
    ...judgeEnd(end, reference, byHand),
    ...(await judgeFiles(folder, end, reference.start)),
  ];
}

/** Everything was done, and the verb says so by an error. */
function isRefused(result: CliResult | undefined, reference: Reference, remains: Snapshot): boolean {
  const code = reference.scenario.verb?.onceDone;
  if (code === undefined || judgeEnd(remains, reference).length > 0) return false;
  return result?.json<{ error?: { code?: string } }>().error?.code === code;
}

async function call(
  { projects, databases }: Stage,
  given: Call,
  database: FaultDatabase,
): Promise<CliResult | undefined> {
  return (await start(projects, given, database, databases.server.port)).done;
}

/** The next run must fail for these tenants with an explanation. */
function reported(result: CliResult | undefined, intents: readonly IntentSnapshot[]): string[] {
  const failures = result?.json<{
    tenants?: { schema: string; error?: { code: string; migration?: string } }[];
  }>();
  const missed = intents.filter(({ schema, migration }) => {
    const error = failures?.tenants?.find((tenant) => tenant.schema === schema)?.error;
    return error?.code !== 'MIGRATION_INTERRUPTED' || error.migration !== migration;
  });
  return [
    ...(result?.exitCode === 1
      ? []
      : [`the run after an interrupted migration ended with ${result?.exitCode}`]),
    ...missed.map(
      ({ schema, migration }) => `${schema}: the next run does not say that ${migration} was interrupted`,
    ),
  ];
}

/** What status must say of a tenant. */
interface Expected {
  readonly schema: string;
  readonly problem: string;
}

async function statusReports(
  { projects, databases }: Stage,
  { scenario }: Reference,
  database: FaultDatabase,
  expected: readonly Expected[],
): Promise<string[]> {
  const status = { args: ['status'], extent: scenario.call.extent };
  const result = await (await start(projects, status, database, databases.server.port)).done;
  const { attention = [] } = result?.json<{ attention?: Expected[] }>() ?? {};
  return expected
    .filter(
      ({ schema, problem }) =>
        !attention.some((tenant) => tenant.schema === schema && tenant.problem.includes(problem)),
    )
    .map(({ schema, problem }) => `${schema}: status does not say: ${problem}`);
}
