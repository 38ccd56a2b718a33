import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { replaceMarkedSection } from '../report/marked-section.ts';
import type { ScaleMeasurements } from './figures.ts';
import type { FleetSize } from './measure-fleet.ts';
import { measureScale } from './measure.ts';
import { fitModel, type Assumptions } from './model.ts';
import { assumptionsLine, limitsTable, nodesTable, toMarkdown } from './tables.ts';

interface Flags extends Omit<Assumptions, 'tenants' | 'nodes'> {
  readonly tenants?: number;
  readonly nodes?: number;
  readonly memoryGb: number;
  readonly diskTb: number;
  readonly measure?: readonly FleetSize[];
  readonly json: string;
  readonly markdown?: string;
}

const flags = readFlags(process.argv.slice(2));
const { json, markdown, measure } = flags;
if (measure !== undefined) await measureScale(measure, (line) => console.error(line), keep);
const measured = JSON.parse(await readFile(json, 'utf8')) as ScaleMeasurements;
const all = toMarkdown(measured, { ...flags, tenants: 0, nodes: 1 }, flags);
if (markdown !== undefined) await replaceMarkedSection(markdown, 'pnpm bench:scale --markdown', all);
console.log(flags.tenants === undefined ? all : oneFleet(flags.tenants));

/** The fleet that the command line describes. */
function oneFleet(tenants: number): string {
  const { nodes = 1 } = flags;
  const assumed = { ...flags, tenants, nodes };
  const model = fitModel(measured.fleets);
  return [
    `Measured on ${measured.date}. ${assumptionsLine(assumed)}`,
    nodesTable(model, measured, assumed, [nodes]),
    limitsTable(model, measured, assumed, flags),
  ].join('\n\n');
}

async function keep(known: ScaleMeasurements): Promise<void> {
  await mkdir(dirname(json), { recursive: true });
  await writeFile(json, `${JSON.stringify(known, null, 2)}\n`);
}

function readFlags(argv: readonly string[]): Flags {
  const program = new Command('bench:scale')
    .description('What fleets of any size take: extrapolated from fleets that were measured.')
    .option('--tenants <n>', 'this fleet in the place of the tables of docs/scale.md', number)
    .option('--nodes <n>', 'with --tenants: servers, each with its part of the fleet (default: 1)', number)
    .option('--tables <n>', 'tables of a tenant', number, 20)
    .option('--data-mb <n>', 'rows of a tenant', number, 10)
    .option('--concurrency <n>', 'tenants at once on each server', number, 8)
    .option('--cores <n>', 'of each server', number, 8)
    .option('--memory-gb <n>', 'of each server', number, 64)
    .option('--disk-tb <n>', 'of each server', number, 2)
    .option('--connections <n>', 'of the application to each server', number, 100)
    .option('--round-trip-ms <n>', 'of the network', number, 0.5)
    .option('--fsync-ms <n>', 'until a commit, or a file, is on disk', number, 1)
    .option('--measure <sizes>', 'measure fleets of <tenants>x<tables>, e.g. 200x5,1000x25', sizes)
    .option('--json <file>', 'where the measured figures are', 'docs/scale.json')
    .option('--markdown <file>', 'a document in which the tables replace the marked section');
  program.parse([...argv], { from: 'user' });
  return program.opts<Flags>();
}

function number(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError('It is not a number above 0.');
  return Number(text);
}

function sizes(text: string): FleetSize[] {
  return text.split(',').map((size) => {
    const [, tenants, tables] = /^([1-9]\d*)x([1-9]\d*)$/.exec(size) ?? [];
    if (tenants === undefined || tables === undefined)
      throw new InvalidArgumentError('It is not a list of <tenants>x<tables>.');
    return { tenants: Number(tenants), tables: Number(tables) };
  });
}
