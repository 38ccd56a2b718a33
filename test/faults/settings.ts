import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseCase, type Case } from './case.ts';

export interface Settings {
  readonly iterations: number;
  /** Number of faults in the verbs of a tenant's life. */
  readonly verbs: number;
  /** A kill at each point instead. */
  readonly all: boolean;
  readonly seed: number;
  /** A single case, as text from a failure report. */
  readonly only: Case | undefined;
  /** Limits the cases to these scenarios; empty for all. */
  readonly scenarios: readonly string[];
  readonly lanes: number;
  readonly masterFolder: string;
  readonly tenantFolder: string;
  /** Whether the migrations are the harness's own: then every scenario must be possible. */
  readonly isOwn: boolean;
  readonly json: string | undefined;
}

interface Flags {
  readonly iterations: number;
  readonly verbs: number;
  readonly all?: boolean;
  readonly seed: number;
  readonly case?: Case;
  readonly scenario?: readonly string[];
  readonly lanes: number;
  readonly migrations?: string;
  readonly masterMigrations?: string;
  readonly json?: string;
}

const OWN = join(import.meta.dirname, 'migrations');

/** Parses the command line. Prints the help or a usage error and exits if necessary. */
export function readSettings(argv: readonly string[]): Settings {
  const program = new Command('test:faults')
    .description('Real commands against a real server, killed and cut off, and what is left of them judged.')
    .option('--iterations <n>', 'how many faults in commands that migrate', wholeNumber, 228)
    .option('--verbs <n>', "how many faults in the verbs of a tenant's life", wholeNumber, 190)
    .option('--all', 'a kill at each point of each command, each time it is passed, instead of a choice')
    .option('--seed <n>', 'what strikes where: the same for the same seed', wholeNumber, 1)
    .option('--case <text>', 'one case alone, in the words in which it was reported', oneCase)
    .option('--scenario <names...>', 'these commands alone')
    .option('--lanes <n>', 'cases at once', wholeNumber, 3)
    .option(
      '--migrations <folder>',
      'tenant migrations to strike at, or a folder that holds tenants/ and master/',
    )
    .option('--master-migrations <folder>', 'master migrations to go with them')
    .option('--json <file>', 'where the tallies are written');
  program.parse([...argv], { from: 'user' });
  const {
    migrations,
    masterMigrations,
    case: only,
    scenario,
    json,
    all = false,
    ...rest
  } = program.opts<Flags>();
  const given = resolve(migrations ?? OWN);
  const hasBoth = existsSync(join(given, 'tenants'));
  const master = join(hasBoth ? given : OWN, 'master');
  return {
    ...rest,
    all,
    only,
    scenarios: scenario ?? [],
    masterFolder: masterMigrations ?? (existsSync(master) ? master : join(OWN, 'master')),
    tenantFolder: hasBoth ? join(given, 'tenants') : given,
    isOwn: migrations === undefined && masterMigrations === undefined,
    json,
  };
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('It is no whole number above 0.');
  return Number(text);
}

function oneCase(text: string): Case {
  const parsed = parseCase(text);
  if (parsed === undefined) throw new InvalidArgumentError('It is no case that the harness has reported.');
  return parsed;
}
