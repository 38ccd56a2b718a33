import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, platform } from 'node:os';
import { dirname, relative } from 'node:path';
import type { Bench } from './bench.ts';
import { createFleets } from './fleet/fleets.ts';
import { withProjects } from './fleet/projects.ts';
import { runFolder } from './folder/run-folder.ts';
import { measureAdd } from './parts/add.ts';
import { measureCalls } from './parts/calls.ts';
import { measureCounts } from './parts/counts.ts';
import { measureDrift } from './parts/drift.ts';
import { measureExec } from './parts/exec.ts';
import { measureGuard } from './parts/guard.ts';
import { measureGrowth } from './parts/growth.ts';
import { measureInit } from './parts/init.ts';
import { measureLatency } from './parts/latency.ts';
import { measureLedger } from './parts/ledger.ts';
import { measureLoad } from './parts/load.ts';
import { measureMix } from './parts/mix.ts';
import { measureSharing } from './parts/sharing.ts';
import { measureStartUp } from './parts/start-up.ts';
import { toChart } from './report/chart.ts';
import { brokenCounts } from './report/finding.ts';
import { replaceMarkedSection } from './report/marked-section.ts';
import { toMarkdown } from './report/markdown.ts';
import type { PartResult, Report } from './report/report.ts';
import { psqlVersion } from './rivals/psql.ts';
import { withServer } from './server/server.ts';
import { readSettings, type FolderSettings, type PartName, type Settings } from './settings.ts';

const MEASURE: Readonly<Record<PartName, (bench: Bench) => Promise<PartResult>>> = {
  counts: measureCounts,
  growth: measureGrowth,
  add: measureAdd,
  ledger: measureLedger,
  guard: measureGuard,
  latency: measureLatency,
  init: measureInit,
  mix: measureMix,
  sharing: measureSharing,
  load: measureLoad,
  exec: measureExec,
  drift: measureDrift,
  calls: measureCalls,
  'start-up': measureStartUp,
};

const settings = readSettings(process.argv.slice(2));
if (settings.postgres !== undefined) process.env.TEST_POSTGRES_PROGRAMS = settings.postgres;
const psql = await psqlVersion();
const say = (line: string) => console.error(line);
if (psql === undefined) say('No psql on the PATH: the limit is omitted.');
process.exitCode =
  settings.folder === undefined ? await measureParts() : await measureOneFolder(settings.folder);

async function measureOneFolder(folder: FolderSettings): Promise<number> {
  const { exitCode, row } = await runFolder(folder, { hasPsql: psql !== undefined, say });
  if (folder.title === undefined || row === undefined) return exitCode;
  const report = await readReport(settings.json);
  await writeReport({ ...report, folders: { ...report.folders, [folder.title]: row } }, settings);
  return exitCode;
}

/** @returns the exit code: 1 if a count is wrong */
async function measureParts(): Promise<number> {
  let report: Report = settings.keep ? await readReport(settings.json) : { parts: {} };
  const broken =
    settings.parts.length === 0
      ? []
      : await withServer((server) =>
          withProjects(async (projects) => {
            const fleets = createFleets(server, projects, say);
            const bench = { settings, server, projects, fleets, hasPsql: psql !== undefined, say };
            for (const name of settings.parts) {
              say(`━━ ${name}`);
              const result = await MEASURE[name](bench);
              const circumstances = describe(server.version);
              report = { ...report, parts: { ...report.parts, [name]: { ...result, circumstances } } };
              // Write after each part: a long run that ends early keeps its results.
              await writeReport(report, settings);
            }
            return settings.parts.flatMap((name) => brokenCounts(report.parts[name]?.findings ?? []));
          }),
        );
  await writeReport(report, settings);
  console.log(toMarkdown(report));
  say(`\nEvery figure: ${settings.json}; the chart: ${settings.svg}`);
  for (const { what, value, bar } of broken)
    say(`✖ ${what}: ${value}; it must be ${bar?.kind} ${bar?.limit}.`);
  return broken.length > 0 ? 1 : 0;
}

function describe(server: string) {
  return {
    date: new Date().toISOString().slice(0, 10),
    cores: availableParallelism(),
    platform: platform(),
    node: process.versions.node,
    server,
    psql: psql ?? null,
    rounds: settings.rounds,
  };
}

async function readReport(file: string): Promise<Report> {
  if (!existsSync(file)) return { parts: {} };
  return JSON.parse(await readFile(file, 'utf8')) as Report;
}

async function writeReport(known: Report, { json, svg, markdown }: Settings): Promise<void> {
  const chart = toChart(known.parts.growth?.measurements ?? []);
  await writeTo(json, `${JSON.stringify(known, null, 2)}\n`);
  if (chart !== undefined) await writeTo(svg, `${chart}\n`);
  if (markdown === undefined) return;
  const picture =
    chart === undefined
      ? []
      : [`![Time against the number of tenants](${relative(dirname(markdown), svg).replaceAll('\\', '/')})`];
  await replaceMarkedSection(markdown, 'pnpm bench --markdown', [...picture, toMarkdown(known)].join('\n\n'));
}

async function writeTo(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
