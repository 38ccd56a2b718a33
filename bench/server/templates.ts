import { withConnection, databaseUrl } from './connection.ts';
import { withoutFsync, type BenchServer } from './server.ts';

/** Databases that are built once; measurements use copies. */
export interface Templates {
  /**
   * Runs `use` with a fresh copy that keeps oids and transaction ids.
   * @param build fills the new database, once for each name
   */
  withCopy<T>(
    name: string,
    build: (url: string) => Promise<void>,
    use: (url: string) => Promise<T>,
  ): Promise<T>;
  /** Drops a template before the next copy. */
  discard(name: string): void;
  /** Drops all of them. */
  close(): Promise<void>;
}

export interface TemplateOptions {
  /** Of the databases' names, which must be no other's on this server. */
  readonly prefix?: string;
  /**
   * When copies are dropped. 'next': before the next copy, for large fleets. 'end': by `close`. On ext4,
   * DROP DATABASE makes creating files up to three times as expensive for half a minute, so measurements that
   * create many tables need 'end'.
   */
  readonly drops?: 'next' | 'end';
}

export function createTemplates(
  server: BenchServer,
  report: (line: string) => void,
  { prefix = '', drops = 'next' }: TemplateOptions = {},
): Templates {
  const built = new Set<string>();
  const used = new Set<string>();
  let copies = 0;
  const run = (sql: string) => withConnection(server.url, (client) => client.query(sql));
  const drop = async (database: string) => {
    await run(`DROP DATABASE ${database} WITH (FORCE)`);
    used.delete(database);
  };
  return {
    async withCopy(suffix, build, use) {
      const name = `${prefix}${suffix}`;
      const copy = `${prefix}copy_${(copies += 1)}`;
      await withoutFsync(server, async () => {
        // Here and not directly after use: fsync is off now.
        if (drops === 'next') for (const database of used) await drop(database);
        if (!built.has(name)) {
          report(`building ${name}`);
          await run(`CREATE DATABASE ${name}`);
          await build(databaseUrl(server.url, name));
          built.add(name);
        }
        await run(`CREATE DATABASE ${copy} TEMPLATE ${name} STRATEGY file_copy`);
      });
      used.add(copy);
      return use(databaseUrl(server.url, copy));
    },
    discard(suffix) {
      if (built.delete(`${prefix}${suffix}`)) used.add(`${prefix}${suffix}`);
    },
    async close() {
      for (const database of [...used, ...built]) await drop(database);
    },
  };
}
