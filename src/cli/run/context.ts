import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Reading } from '../../config/environment.ts';
import type { FolderSettings, Settings, Variables } from '../../config/settings.ts';
import { AUTO_CEILING, BESIDE, DEFAULT_CONCURRENCY } from '../../core/run/capacity.ts';
import type { Concurrency } from '../../core/run/lanes.ts';
import type { Observer } from '../../core/report/event.ts';
import type { Output } from '../terminal/output.ts';
import { createProgress } from '../terminal/progress.ts';
import type * as LoadedCore from './core.ts';
import type { Interruption } from './signals.ts';
import { TenantctlError } from '../../errors.ts';
import type { Database } from '../../db/database.ts';

export interface GlobalOptions {
  readonly dotenv?: string;
  readonly embedded?: string | true;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
}

export type Core = typeof LoadedCore;

/** A command's environment. Expensive parts are functions, so that --help opens nothing. */
export interface Context {
  readonly options: GlobalOptions;
  readonly output: Output;
  readonly folder: string;
  readonly interruption: Interruption;
  /** The configuration with its problems; for doctor, and for commands without a database. */
  readEnvironment(): Promise<Reading>;
  /**
   * The settings for an embedded database in memory, whatever database is configured.
   * @throws TenantctlError CONFIG_INVALID, naming every problem
   */
  settingsInMemory(): Promise<Settings>;
  /** @throws TenantctlError CONFIG_INVALID if a variable names a bad folder */
  folders(): Promise<FolderSettings>;
  /**
   * Opens the database, calls `use`, and closes it. `observe` shows events as progress.
   * @param concurrency how many tenants the pool must serve in parallel; undefined for the default
   * @throws TenantctlError CONFIG_INVALID, naming every problem
   */
  withDatabase<T>(
    concurrency: Concurrency | undefined,
    use: (database: Database, settings: Settings, observe: Observer, core: Core) => Promise<T>,
  ): Promise<T>;
  /**
   * Opens another database, with the settings for TLS and timeouts of this one, and closes it.
   * @throws TenantctlError CONFIG_INVALID for a URL that cannot be used
   */
  withOtherDatabase<T>(url: string, use: (database: Database) => Promise<T>): Promise<T>;
  /**
   * @param word what a person must type; yes if absent
   * @throws TenantctlError CONFIRMATION_REQUIRED without a terminal, or if the answer is another one
   */
  confirm(question: string, word?: string): Promise<void>;
}

export function createContext(options: GlobalOptions, output: Output, interruption: Interruption): Context {
  const folder = currentFolder();
  let reading: Promise<Reading> | undefined;
  const readEnvironment = () => (reading ??= readAll(folder, options, output));
  const warn = ({ warnings }: Reading) => {
    for (const { variable, message } of warnings)
      output.complain(output.errorLook.paint.yellow(`! ${variable} ${message}.`));
  };
  return {
    options,
    output,
    folder,
    interruption,
    readEnvironment,
    async settingsInMemory() {
      const { requireSettings } = await import('../../config/environment.ts');
      const read = await readAll(folder, options, output, 'in memory');
      const settings = requireSettings(read);
      warn(read);
      return settings;
    },
    async folders() {
      const { requireFolders } = await import('../../config/environment.ts');
      return requireFolders(await readEnvironment());
    },
    async withDatabase(concurrency, use) {
      const { requireSettings } = await import('../../config/environment.ts');
      const read = await readEnvironment();
      const settings = requireSettings(read);
      warn(read);
      const { withDatabase } = await import('../../db/open.ts');
      const width = concurrency === 'auto' ? AUTO_CEILING : (concurrency ?? DEFAULT_CONCURRENCY);
      // One more, so that the ledger need not wait for a migration outside a transaction.
      const maxConnections = width + BESIDE + 1;
      // Only when the connection is under way: the server answers meanwhile.
      const loading = nextTurn().then(() => import('./core.ts'));
      return withDatabase(settings.database, { maxConnections, names: settings.names }, async (database) => {
        const progress = createProgress(output);
        const forget = database.canCancel
          ? interruption.onSecond(() => void database.cancelWork())
          : () => {};
        try {
          return await use(database, settings, progress.observe, await loading);
        } finally {
          progress.stop();
          forget();
        }
      });
    },
    async withOtherDatabase(url, use) {
      const { requireSettings } = await import('../../config/environment.ts');
      const { withDatabase } = await import('../../db/open.ts');
      try {
        const { database, names } = requireSettings(await readAll(folder, options, output, { url }));
        return await withDatabase(database, { maxConnections: BESIDE + 1, names }, use);
      } catch (error) {
        throw aboutUrl(error);
      }
    },
    async confirm(question, word) {
      const { askToConfirm } = await import('../terminal/confirm.ts');
      await interruption.waitFor(askToConfirm(question, options.yes === true, output, word));
    },
  };
}

/** @throws TenantctlError FILE_UNUSABLE if it was deleted */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch (cause) {
    throw new TenantctlError('FILE_UNUSABLE', 'The current folder does not exist any more.', {
      hint: 'Change to a folder that exists, and run the command again.',
      cause,
    });
  }
}

async function readAll(
  folder: string,
  options: GlobalOptions,
  output: Output,
  chosen?: 'in memory' | { readonly url: string },
): Promise<Reading> {
  const [{ readEnvironment }, { mergeSources, readEnvFile }] = await Promise.all([
    import('../../config/environment.ts'),
    import('../../config/sources.ts'),
  ]);
  const file = readEnvFile(folder, options.dotenv);
  const other = typeof chosen === 'object' ? { DATABASE_URL: chosen.url } : {};
  output.learnSecrets(process.env, file.variables, other);
  const variables = mergeSources(process.env, file.variables);
  const reading = readEnvironment(
    typeof chosen === 'object' ? atUrl(variables, chosen.url) : variables,
    {
      folder,
      embedded: chosen === undefined ? options.embedded : undefined,
      inMemory: chosen === 'in memory',
    },
    file.warnings,
  );
  if (reading.settings !== undefined) {
    const { database } = reading.settings;
    // From a password file.
    if (database.kind === 'server' && typeof database.password === 'function')
      output.learnSecrets(process.env, file.variables, { DB_PASSWORD: await database.password() });
    const { tuneWebAssembly } = await import('./wasm-tiering.ts');
    await tuneWebAssembly(database);
  }
  return reading;
}

/** What names a database. */
const NAMES_DATABASE = /^(?:DATABASE_URL|DB_(?:HOST|PORT|USER|PASSWORD|NAME|EMBEDDED|DIRECT_URL))$/;

/** The variables with another database. */
function atUrl(variables: Variables, url: string): Variables {
  const others = Object.entries(variables).filter(([name]) => !NAMES_DATABASE.test(name));
  return { ...Object.fromEntries(others), DATABASE_URL: url };
}

/** The URL was given on the command line: no variable can be corrected. */
function aboutUrl(error: unknown): unknown {
  if (!(error instanceof TenantctlError)) return error;
  const { code, message, hint = '', details = [] } = error;
  if (code === 'CONFIG_INVALID')
    return new TenantctlError('USAGE', 'The URL of --from cannot be used.', {
      details: details.map((line) => line.replace('DATABASE_URL', '--from')),
      hint: 'It has the form postgres://user:password@host:port/database.',
      cause: error,
    });
  if (!hint.includes('DATABASE_URL')) return error;
  return new TenantctlError(code, message, {
    hint: hint.replaceAll('DATABASE_URL', 'the URL of --from'),
    sqlstate: error.sqlstate,
    cause: error,
  });
}
