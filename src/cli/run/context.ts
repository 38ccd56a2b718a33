import { statSync } from 'node:fs';
import type { Reading } from '../../config/environment.ts';
import type { FolderSettings, Settings } from '../../config/settings.ts';
import type { Concurrency } from '../../core/run/lanes.ts';
import type { Observer } from '../../core/report/event.ts';
import { TenantctlError } from '../../errors.ts';
import type { Output } from '../terminal/output.ts';
import { createProgress } from '../terminal/progress.ts';
import { listenForSignals, type Interruption } from './signals.ts';
import type { Database } from '../../db/database.ts';

/** The options that every command has. */
export interface GlobalOptions {
  readonly envFile?: string;
  readonly embedded?: string | true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
}

/** What a command gets. Expensive parts are functions, so that --help opens nothing. */
export interface Context {
  readonly options: GlobalOptions;
  readonly output: Output;
  /** The current folder. */
  readonly folder: string;
  /** The configuration with its problems; for doctor, and for commands without a database. */
  readEnvironment(): Promise<Reading>;
  /** @throws TenantctlError CONFIG_INVALID if a variable that names one is wrong */
  folders(): Promise<FolderSettings>;
  /** @throws TenantctlError CONFIG_INVALID, naming every problem */
  settings(): Promise<Settings>;
  /** An open database for the time of `use`, with a pool that carries `concurrency` tenants at once. */
  withDatabase<T>(
    concurrency: Concurrency | undefined,
    use: (database: Database, settings: Settings) => Promise<T>,
  ): Promise<T>;
  /** Shows progress on stderr while `work` runs. */
  withProgress<T>(work: (observe: Observer) => Promise<T>): Promise<T>;
  /** Aborted by SIGINT or SIGTERM. */
  interruption(): Interruption;
  /** @throws TenantctlError CONFIRMATION_REQUIRED if nobody can answer or the answer is no */
  confirm(question: string): Promise<void>;
}

export function createContext(options: GlobalOptions, output: Output): Context {
  const folder = process.cwd();
  let reading: Promise<Reading> | undefined;
  let interruption: Interruption | undefined;
  const context: Context = {
    options,
    output,
    folder,
    readEnvironment: () => (reading ??= readAll(folder, options, output)),
    async folders() {
      const { requireFolders } = await import('../../config/environment.ts');
      return requireFolders(await context.readEnvironment());
    },
    async settings() {
      const { requireSettings } = await import('../../config/environment.ts');
      const settings = requireSettings(await context.readEnvironment());
      assertNamedFolders(settings);
      return settings;
    },
    async withDatabase(concurrency, use) {
      const settings = await context.settings();
      for (const warning of settings.warnings) output.complain(output.paintError.yellow(`! ${warning}`));
      const { withDatabase } = await import('../../db/open.ts');
      const { AUTO_CEILING, BESIDE, DEFAULT_CONCURRENCY } = await import('../../core/run/capacity.ts');
      const width = concurrency === 'auto' ? AUTO_CEILING : (concurrency ?? DEFAULT_CONCURRENCY);
      // One more: what is recorded meanwhile does not wait for a migration outside a transaction.
      const maxConnections = width + BESIDE + 1;
      return withDatabase(settings.database, { maxConnections, names: settings.names }, async (database) => {
        const forget = database.canCancel
          ? context.interruption().onSecond(() => void database.cancelWork())
          : () => {};
        try {
          return await use(database, settings);
        } finally {
          forget();
        }
      });
    },
    async withProgress(work) {
      const progress = await createProgress(output);
      try {
        return await work(progress.observe);
      } finally {
        progress.stop();
      }
    },
    interruption: () => (interruption ??= listenForSignals((message) => output.message(message))),
    async confirm(question) {
      const { askToConfirm } = await import('../terminal/confirm.ts');
      await askToConfirm(question, options.yes === true, output);
    },
  };
  return context;
}

async function readAll(folder: string, options: GlobalOptions, output: Output): Promise<Reading> {
  const [{ readEnvironment }, { mergeSources, readEnvFile }] = await Promise.all([
    import('../../config/environment.ts'),
    import('../../config/sources.ts'),
  ]);
  const file = readEnvFile(folder, options.envFile);
  output.learnSecrets(process.env, file);
  const variables = mergeSources(process.env, file);
  const reading = readEnvironment(variables, { folder, embedded: options.embedded });
  if (reading.settings !== undefined) {
    const { tuneWebAssembly } = await import('./wasm-tiering.ts');
    await tuneWebAssembly(reading.settings.database);
  }
  return reading;
}

/** If a variable names a folder that does not exist, the configuration is wrong. */
function assertNamedFolders({ folders }: Settings): void {
  const missing = [
    { named: folders.masterIsNamed, variable: 'MASTER_MIGRATIONS_DIR', path: folders.master },
    { named: folders.tenantsIsNamed, variable: 'TENANT_MIGRATIONS_DIR', path: folders.tenants },
  ].filter(({ named, path }) => named && !isFolder(path));
  if (missing.length === 0) return;
  throw new TenantctlError(
    'CONFIG_INVALID',
    missing.map(({ variable, path }) => `${variable}: ${path} is not a directory.`).join(' '),
    { hint: 'Correct the path; it is taken from the folder that the command is called in.' },
  );
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
