import { Command, InvalidArgumentError, Option } from 'commander';
import type { FolderSizes } from './folder/folder-sizes.ts';

export const PARTS = [
  'counts',
  'growth',
  'add',
  'ledger',
  'guard',
  'latency',
  'init',
  'mix',
  'sharing',
  'load',
  'exec',
  'drift',
  'calls',
  'start-up',
] as const;
export type PartName = (typeof PARTS)[number];

/** A project's own migrations, to be measured in place of the parts. */
export interface FolderSettings {
  readonly path: string;
  readonly master: string | undefined;
  readonly setup: string | undefined;
  /** Its name in the table of folders; absent: it is not written there. */
  readonly title: string | undefined;
  readonly sizes: FolderSizes;
}

export interface Settings {
  readonly folder: FolderSettings | undefined;
  readonly parts: readonly PartName[];
  /** Fleet sizes for `growth`, ascending. */
  readonly growth: readonly number[];
  /** Two fleet sizes whose counts are compared. */
  readonly counts: readonly [number, number];
  /** Process counts for `sharing`, and its fleet size, which `exec` shares. */
  readonly processes: readonly number[];
  readonly sharedTenants: number;
  /** Duration of the undisturbed `load` in milliseconds. */
  readonly loadMs: number;
  /** Fleet size for the full check in `guard`. */
  readonly guardedTenants: number;
  /** Number of calls in `calls`, direct and pooled. */
  readonly calls: number;
  /** Fleet size for `add`, `ledger`, `guard`, `latency` and `load`. */
  readonly tenants: number;
  readonly newTenants: number;
  /** How many migrations `mix` generates, and its numbers of tenants. */
  readonly mix: Omit<FolderSizes, 'rounds'> & { readonly files: readonly number[] };
  /** Number of tenants for slow rivals; the rest of a fleet is extrapolated. */
  readonly sample: number;
  readonly rounds: number;
  readonly concurrency: number;
  /** The folder of the server's programs; that of the npm package if absent. */
  readonly postgres?: string;
  readonly roundTripMs: number;
  /** Output files: all figures, the chart, and the document whose marked section is replaced. */
  readonly json: string;
  readonly svg: string;
  readonly markdown: string | undefined;
  /** Keep the JSON file's results for parts that are not measured. */
  readonly keep: boolean;
}

type Sizes = Pick<
  Settings,
  | 'growth'
  | 'counts'
  | 'tenants'
  | 'newTenants'
  | 'mix'
  | 'sample'
  | 'rounds'
  | 'processes'
  | 'sharedTenants'
  | 'loadMs'
  | 'guardedTenants'
  | 'calls'
>;

const SMOKE: Sizes = {
  growth: [5, 10],
  counts: [20, 60],
  tenants: 10,
  newTenants: 4,
  mix: { files: [20], tenants: 3, existing: 3 },
  sample: 3,
  rounds: 1,
  processes: [1, 2],
  sharedTenants: 8,
  loadMs: 1_000,
  guardedTenants: 20,
  calls: 500,
};
const SMALL: Sizes = {
  growth: [20, 60, 200],
  counts: [20, 60],
  tenants: 100,
  newTenants: 40,
  mix: { files: [60], tenants: 10, existing: 30 },
  sample: 40,
  rounds: 2,
  processes: [1, 2, 4],
  sharedTenants: 200,
  loadMs: 4_000,
  guardedTenants: 200,
  calls: 5_000,
};
/** The sizes that the bars apply to. */
const FULL: Sizes = {
  growth: [100, 1000, 10_000],
  counts: [100, 1000],
  tenants: 1000,
  newTenants: 1000,
  mix: { files: [60, 250], tenants: 20, existing: 100 },
  sample: 500,
  rounds: 3,
  processes: [1, 2, 4, 8],
  sharedTenants: 2000,
  loadMs: 10_000,
  guardedTenants: 10_000,
  calls: 100_000,
};

interface Flags
  extends Partial<Sizes>, Pick<Settings, 'concurrency' | 'roundTripMs' | 'json' | 'svg' | 'postgres'> {
  readonly folder?: string;
  readonly master?: string;
  readonly setup?: string;
  readonly title?: string;
  readonly existing?: number;
  readonly only?: readonly (PartName | 'none')[];
  readonly smoke?: true;
  readonly full?: true;
  readonly with50000?: true;
  readonly markdown?: string;
  readonly keep?: true;
}

/** Parses the command line. Prints the help or a usage error and exits if necessary. */
export function readSettings(argv: readonly string[]): Settings {
  const program = new Command('bench')
    .description('Compares tenantctl with other tools, and with psql as the limit.')
    .option('--folder <path>', 'measure these tenant migrations in place of the parts below')
    .option(
      '--existing <n>',
      'with --folder: how many tenants get the last migration (default: 100)',
      positive,
    )
    .option('--master <path>', 'with --folder: the master migrations (default: the registry alone)')
    .option('--setup <file.sql>', 'with --folder: SQL for each new database, such as extensions and roles')
    .option('--title <name>', 'with --folder: adds a row of that name to the JSON file and the document')
    .option('--full', 'the sizes that the bars apply to: more than an hour')
    .option('--smoke', 'the smallest sizes: does it run, and are the counts right?')
    .addOption(new Option('--only <parts...>', 'measure these parts').choices([...PARTS, 'none']))
    .option('--growth <sizes>', 'sizes of the fleets that show the growth, e.g. 100,1000,10000', sizes)
    .option('--with-50000', 'also a fleet of 50,000: about 20 GB of disk')
    .option('--counts <sizes>', 'two sizes of fleet whose counts are compared', twoSizes)
    .option(
      '--tenants <n>',
      'size of the fleet for add, ledger, guard, latency and load; with --folder: how many get the whole folder (default: 20)',
      positive,
    )
    .option('--new-tenants <n>', 'how many tenants init and drift make', positive)
    .option('--sample <n>', 'how many tenants the slow rivals serve; more are extrapolated', positive)
    .option('--guarded-tenants <n>', 'size of the fleet for the full checks of the guard', positive)
    .option('--shared-tenants <n>', 'size of the fleet for sharing', positive)
    .option('--calls <n>', 'how many calls of openTenants are checked, direct and pooled', positive)
    .option('--rounds <n>', 'how often everything is measured', positive)
    .option('--concurrency <n>', 'tenants at once', positive, 4)
    .option(
      '--postgres <folder>',
      'the server, by the folder with its bin/ (default: PostgreSQL 18 from npm), e.g. /usr/lib/postgresql/15',
    )
    .option('--round-trip-ms <n>', 'the network that latency imitates', positive, 2)
    .option('--json <file>', 'where every figure is written', '.bench/performance.json')
    .option('--svg <file>', 'where the chart is written', '.bench/performance.svg')
    .option('--markdown <file>', 'a document in which the tables replace the marked section')
    .option('--keep', 'take parts that are not measured from the JSON file');
  program.parse([...argv], { from: 'user' });
  return toSettings(program.opts<Flags>());
}

function toSettings({ only, smoke, full, with50000, markdown, keep, ...flags }: Flags): Settings {
  const { folder, master, setup, title, existing = 100, tenants = 20, rounds = 3 } = flags;
  const given = { ...(full ? FULL : smoke ? SMOKE : SMALL), ...flags };
  const growth = with50000 ? [...given.growth, 50_000] : given.growth;
  return {
    ...given,
    folder:
      folder === undefined
        ? undefined
        : { path: folder, master, setup, title, sizes: { tenants, existing, rounds } },
    parts: PARTS.filter((part) => only === undefined || only.includes(part)),
    growth: [...new Set(growth)].toSorted((a, b) => a - b),
    markdown,
    keep: keep === true,
  };
}

function positive(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('It is not a whole number above 0.');
  return Number(text);
}

function sizes(text: string): number[] {
  return text.split(',').map(positive);
}

function twoSizes(text: string): readonly [number, number] {
  const [small, large, ...others] = sizes(text);
  if (small === undefined || large === undefined || others.length > 0 || small >= large)
    throw new InvalidArgumentError('It is not a smaller and a larger size.');
  return [small, large];
}
